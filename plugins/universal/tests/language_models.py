"""Small models with random weights, one of each kind of language model."""

from __future__ import annotations

from typing import Any

import torch
import transformers

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
WINDOWS = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
MAMBA = {"vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.3}

FLAT: dict[str, dict[str, Any]] = {
    "Llama": {},
    "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "Mistral": {"sliding_window": 8},
    "Qwen2": {},
    "Qwen3": {"head_dim": 16},
    "Phi": {},
    "Gemma2": {"head_dim": 16, **WINDOWS},  # its scores are capped
    "Gemma3Text": {"head_dim": 16, **WINDOWS},
    "GptOss": {"head_dim": 16, "num_local_experts": 2, "num_experts_per_tok": 1, **WINDOWS},  # sinks
    "Mixtral": {"num_local_experts": 4},
    "GPTNeoX": {},
    "OPT": {"word_embed_proj_dim": 64, "ffn_dim": 128},
    "Phi3": {  # turns keys otherwise in texts of more than 24 tokens
        "original_max_position_embeddings": 24,
        "rope_parameters": {
            "rope_type": "longrope",
            "rope_theta": 10_000.0,
            "short_factor": [1.0] * 8,
            "long_factor": [4.0] * 8,
            "original_max_position_embeddings": 24,
        },
    },
}
"""Those whose texts are read together."""

LINEAR = {
    "head_dim": 16,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}
MAMBA_HEADS = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 8}

STATEFUL: dict[str, dict[str, Any]] = {
    "Mamba": MAMBA,
    "Mamba2": {**MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 1},
    "FalconMamba": MAMBA,
    "Jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2},
    "Qwen3Next": {**LINEAR, **EXPERTS, "layer_types": ["linear_attention", "full_attention"]},
    "Lfm2": {"layer_types": ["conv", "full_attention"]},
    "FalconH1": {**MAMBA_HEADS, "mamba_d_ssm": 128, "head_dim": 16},  # both in each layer
    "Bamba": {**MAMBA_HEADS, "attn_layer_indices": [1]},
}
"""Those that remember texts in states, which are read together too."""

SINGLE: dict[str, dict[str, Any]] = {
    "Bloom": {"n_layer": 2, "n_head": 4},  # tells positions by its scores
    "MiniMax": {"num_local_experts": 2, "head_dim": 16},  # has a cache of its own
}
"""Those whose texts are read one after the other."""

_SIDES = {
    "vocab_size": 400,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "max_position_embeddings": 64,
    "init_std": 0.4,
    "bos_token_id": 3,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "decoder_start_token_id": 2,
}
ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "T5": {
        "vocab_size": 400,
        "d_model": 64,
        "d_kv": 16,
        "d_ff": 128,
        "num_layers": 2,
        "num_heads": 4,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "decoder_start_token_id": 0,
        "initializer_factor": 5.0,
    },
    "Bart": _SIDES,
    "MBart": _SIDES,
    "Marian": _SIDES,
}
"""Those that read with an encoder, and write with a decoder."""

FORGETFUL = ("Mamba", "FalconMamba", "Jamba")
"""Those that must read a prompt at once."""


def build(name: str, dtype: torch.dtype = torch.float32) -> Any:
    """A causal language model of the family."""
    torch.manual_seed(0)
    changes = (FLAT | STATEFUL | SINGLE)[name]
    config = getattr(transformers, f"{name}Config")(**(changes if "Mamba" in name else SMALL | changes))
    classes = [f"{name}ForCausalLM", f"{name.removesuffix('Text')}ForCausalLM", f"{name}LMHeadModel"]
    model = next(getattr(transformers, option) for option in classes if hasattr(transformers, option))
    return model(config).to(dtype).eval()


def build_encoder_decoder(name: str) -> Any:
    """An encoder-decoder of the family."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**ENCODER_DECODERS[name])
    kind = "MarianMTModel" if name == "Marian" else f"{name}ForConditionalGeneration"
    model = getattr(transformers, kind)(config).eval()
    model.generation_config.forced_eos_token_id = None
    if name == "MBart":
        model.generation_config.forced_bos_token_id = 3  # the language to write
    return model


def prompt(length: int, first: int = 3) -> list[int]:
    return [3 + (first + index * 7) % 290 for index in range(length)]
