"""A small GGUF file, written as llama.cpp's converter writes one of a Llama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(path: Path, model: Any, tokenizer: Any, kind: Kind = Kind.F32, architecture: str = "llama") -> Path:
    """model: a LlamaForCausalLM. kind: how its matrices are stored. architecture: as the file says."""
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue  # whoever reads the file takes the embedding
        _add_tensor(writer, name, tensor.numpy(), config, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, tokenizer: Any) -> None:
    known = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["id"] for token in known["added_tokens"]}
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda each: each[1])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([gguf.TokenType.CONTROL if at in special else gguf.TokenType.NORMAL for _, at in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in known["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _add_tensor(writer: Any, name: str, tensor: Any, config: Any, kind: Kind) -> None:
    named, end = name.rsplit(".", 1)
    if named in _OUTSIDE:
        stored = _OUTSIDE[named]
    else:
        _, _, layer, part = named.split(".", 3)
        stored = f"blk.{layer}.{_NAMES[part]}"
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(_NAMES[part])
        tensor = tensor if heads is None else _turned(tensor, heads)
    if tensor.ndim == 1 or kind is Kind.F32:
        writer.add_tensor(f"{stored}.{end}", np.ascontiguousarray(tensor))
    else:
        writer.add_tensor(f"{stored}.{end}", gguf.quants.quantize(np.ascontiguousarray(tensor), kind), raw_dtype=kind)


def _turned(matrix: Any, heads: int) -> Any:
    """llama.cpp turns neighbouring numbers of a query, transformers those of its halves."""
    return matrix.reshape(heads, 2, -1, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)
