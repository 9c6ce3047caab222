"""Prompts read in several steps, where the model allows it, and at once where it does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from llamafarm_universal.host.engines.text.runner import Runner

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
MAMBA = {"vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.3}
READ_IN_CHUNKS: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Qwen2": {},
    "Mistral": {"sliding_window": 8},
    "Gemma3Text": {"sliding_window": 8, "head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]},
    "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "MiniMax": {"num_local_experts": 2, "head_dim": 16},  # has a cache of its own
    "Mamba2": {**MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 1},
}
READ_AT_ONCE: dict[str, dict[str, Any]] = {
    "Mamba": MAMBA,
    "FalconMamba": MAMBA,
    "Jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2, "use_mamba_kernels": False},
}


def make(name: str, changes: dict[str, Any], dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    small = changes if "Mamba" in name else SMALL | changes
    config = getattr(transformers, f"{name}Config")(**small)
    classes = [f"{name}ForCausalLM", f"{name.removesuffix('Text')}ForCausalLM", f"{name}LMHeadModel"]
    model = next(getattr(transformers, option) for option in classes if hasattr(transformers, option))
    return model(config).to(dtype).eval()


class Prompt:
    """What a runner needs of a sequence."""

    def __init__(self, prompt: list[int]) -> None:
        self.prompt = prompt
        self.done = 0
        self.cache: Any = None
        self.last_token = -1

    @property
    def prefilling(self) -> bool:
        return self.done < len(self.prompt)


def steps_of(runner: Runner, sequence: Prompt, limit: int) -> tuple[int, torch.Tensor]:
    """How many steps the prompt takes, and the logits after it."""
    for count in range(1, 100):
        logits = runner.prefill(sequence, limit)  # type: ignore[arg-type]
        if logits is not None:
            return count, logits
    raise AssertionError("The prompt never ends.")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "steps"), [*((name, 4) for name in READ_IN_CHUNKS), *((name, 1) for name in READ_AT_ONCE)]
)
def test_a_model_reads_in_chunks_unless_that_changes_what_it_answers(name: str, steps: int, dtype: torch.dtype) -> None:
    model = make(name, (READ_IN_CHUNKS | READ_AT_ONCE)[name], dtype)
    runner = Runner(model, "cpu")
    assert runner.reads_in_chunks is (steps > 1)
    prompt = [3 + index * 7 % 290 for index in range(40)]
    sequence = Prompt(prompt)
    count, logits = steps_of(runner, sequence, 12)
    assert count == steps
    if dtype == torch.float32:
        with torch.inference_mode():
            whole = model(input_ids=torch.tensor([prompt])).logits[0, -1]
            torch.testing.assert_close(logits, whole, atol=1e-4, rtol=1e-3)
            sequence.last_token = 5
            longer = model(input_ids=torch.tensor([[*prompt, 5]])).logits[0, -1]
        torch.testing.assert_close(runner.decode(sequence), longer, atol=1e-4, rtol=1e-3)  # type: ignore[arg-type]
