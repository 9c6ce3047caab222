"""The kernel for GPUs computes attention as a plain product in float64 does, and can be compiled for them.

It runs in Triton's interpreter here, which multiplies no bfloat16, and is compiled for GPUs that need not be there.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux alone")
from llamafarm_universal.host.engines.text.block_store import by_block
from llamafarm_universal.host.engines.text.decode_attention import attend_one_token

BLOCK_TOKENS = 16
LEAST_SHARED_BYTES = 99 * 1024
"""That programs may hold on GPUs of consumers."""
SHAPES = {  # heads, those of keys, numbers of each, blocks of a text, and numbers of a value's head
    "grouped heads": (8, 2, 64, 8),
    "heads of an odd size": (4, 4, 80, 4),
    "keys larger than values": (4, 2, 96, 8, 64),
    "a text in many parts": (14, 2, 64, 96),
}
OPTIONS = {
    "nothing else": {},
    "a window": {"sliding_window": 20},
    "capped scores": {"softcap": 5.0},
    "sinks": {"s_aux": True},
}


def texts(dtype: torch.dtype, heads: int, key_heads: int, size: int, blocks: int, value_size: int = 0) -> Any:
    """Three texts, the first of one token, whose blocks lie anywhere. The first block is nobody's, and no number."""
    generator = torch.Generator().manual_seed(0)
    count = 3 * blocks + 1
    keys, values = (
        torch.randn(key_heads, count * BLOCK_TOKENS, width, generator=generator).to(dtype)
        for width in (size, value_size or size)
    )
    keys[:, :BLOCK_TOKENS] = values[:, :BLOCK_TOKENS] = math.nan
    table = (torch.randperm(count - 1, generator=generator) + 1).view(3, blocks)
    positions = torch.tensor([0, 17, blocks * BLOCK_TOKENS - 1])
    table[1, 2:] = 0  # what lies behind a text is not looked at
    query, key, value = (  # strided, as models give them
        torch.randn(count, 3, width, generator=generator).to(dtype).transpose(0, 1)
        for count, width in ((heads, size), (key_heads, size), (key_heads, value_size or size))
    )
    return query, key, value, (keys, values), table, positions


def expected(
    query: Any, new_key: Any, new_value: Any, cache: Any, table: Any, positions: Any, options: dict[str, Any]
) -> torch.Tensor:
    rows = []
    for text, (asked, blocks, position) in enumerate(zip(query.double(), table, positions, strict=True)):
        key, value = (
            torch.cat([by_block(kept)[:, blocks].flatten(1, 2)[:, :position], new[text][:, None]], 1)
            .transpose(0, 1)
            .double()
            for kept, new in zip(cache, (new_key, new_value), strict=True)
        )
        key, value = (each.repeat_interleave(len(asked) // each.shape[1], 1) for each in (key, value))
        scores = torch.einsum("hd,khd->hk", asked, key) * options["scaling"]
        if cap := options.get("softcap"):
            scores = torch.tanh(scores / cap) * cap
        if window := options.get("sliding_window"):
            scores[:, : max(0, len(key) - window)] = -math.inf
        if (sinks := options.get("s_aux")) is not None:
            scores = torch.cat([scores, sinks.double()[:, None]], 1)
        rows.append(torch.einsum("hk,khd->hd", scores.softmax(-1)[:, : len(key)], value))
    return torch.stack(rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_token_looks_at_those_of_its_text(shape: str, option: str, dtype: torch.dtype) -> None:
    heads, _, size, *_ = SHAPES[shape]
    given = texts(dtype, *SHAPES[shape])
    options = {"scaling": size**-0.5, **OPTIONS[option]}
    if "s_aux" in options:
        options["s_aux"] = torch.linspace(-1, 1, heads).to(dtype)
    _, key, value, cache, table, positions = given
    kept = [each.clone() for each in cache]
    for each, new in zip(kept, (key, value), strict=True):
        by_block(each)[:, table[range(3), positions // BLOCK_TOKENS], positions % BLOCK_TOKENS] = new.transpose(0, 1)
    wanted = expected(*given, options)
    computed = attend_one_token(*given, options)
    assert computed.dtype == dtype
    for each, written in zip(kept, cache, strict=True):
        torch.testing.assert_close(written, each, rtol=0, atol=0, equal_nan=True)
    assert (computed.double() - wanted).norm() / wanted.norm() < 4 * torch.finfo(dtype).eps


def test_it_can_be_compiled_for_gpus(tmp_path: Path) -> None:
    """With windows, capped scores and sinks, in one part and in several; and it fits into what a program may hold."""
    environ = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    script = Path(__file__).with_name("compile_decode_kernel.py")
    compiled = subprocess.run([sys.executable, script], env=environ, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    kernels = [json.loads(line) for line in compiled.stdout.splitlines()]
    assert {(each["capability"], each["dtype"], each["parts"]) for each in kernels} == {
        *product((80,), ("bf16", "fp16", "fp32"), (1, 8)),
        *product((90,), ("bf16",), (1, 8)),
    }
    assert max(each["shared_bytes"] for each in kernels) < LEAST_SHARED_BYTES
