"""Does bf16 pay on this processor? fp32 against bf16, at two sizes, for the two things that a language model does.

A decoder step multiplies one row by every weight, so memory speed decides; reading a prompt multiplies many rows, so
arithmetic decides. Run it with `python benchmarks/dtype.py`; it needs about 2 GB and half a minute.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from llamafarm_universal.host.models.linears import bf16_pays
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

SIZES = {
    "small": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8},
    "large": {"hidden_size": 1536, "intermediate_size": 4224, "num_hidden_layers": 12, "num_attention_heads": 12},
}
PROMPT = 128  # tokens
REPEATS = 9


def milliseconds(work: Callable[[], object]) -> float:
    """The median of some runs, after one that does not count."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def matmul(dtype: torch.dtype, width: int, rows: int) -> float:
    left, right = torch.randn(rows, width).to(dtype), torch.randn(width, width).to(dtype)
    return milliseconds(lambda: left @ right.T)


def model_times(dtype: torch.dtype, size: dict[str, int]) -> tuple[float, float, int]:
    """Milliseconds to read a prompt and for one more token; the model's parameters."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=8192, **size)).to(dtype).eval()
    prompt, token = torch.randint(8192, (1, PROMPT)), torch.randint(8192, (1, 1))
    cache = DynamicCache(config=model.config)
    model(prompt, past_key_values=cache)
    prefill = milliseconds(lambda: model(prompt, logits_to_keep=1))
    decode = milliseconds(lambda: model(token, past_key_values=cache))
    return prefill, decode, model.num_parameters()


def main() -> None:
    abilities = torch.cpu.get_capabilities()
    print(f"{abilities.get('cpu_name')}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("bf16 instructions:", [name for name in ("avx512_bf16", "amx_bf16", "bf16") if abilities.get(name)] or "none")
    print(
        "Linear layers in their best form, by which the runtime goes: bf16", "pays" if bf16_pays() else "does not pay"
    )
    print(f"{'':34}{'fp32 ms':>10}{'bf16 ms':>10}{'bf16 gains':>12}")
    for width in (1024, 4096):
        for rows in (1, PROMPT):
            report(f"matmul [{rows}, {width}] x [{width}, {width}]", *(matmul(d, width, rows) for d in _DTYPES))
    for name, size in SIZES.items():
        (prefill, decode, count), (prefill16, decode16, _) = (model_times(dtype, size) for dtype in _DTYPES)
        report(f"{name}, {count / 1e6:.0f}M: {PROMPT} prompt tokens", prefill, prefill16)
        report(f"{name}, {count / 1e6:.0f}M: one token", decode, decode16)


_DTYPES = (torch.float32, torch.bfloat16)


def report(name: str, full: float, half: float) -> None:
    print(f"{name:34}{full:10.2f}{half:10.2f}{full / half:11.2f}x")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
