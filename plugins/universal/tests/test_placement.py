"""Which number format a model gets on a machine."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.messages import Machine
from llamafarm_universal.placement import LARGE_ON_CPU, choose_dtype

PLAIN = Machine()
ABLE = Machine(bf16=frozenset({"cpu", "cuda"}))


@pytest.mark.parametrize(
    ("device", "machine", "config", "parameters", "dtype"),
    [
        ("cuda", ABLE, {"torch_dtype": "bfloat16"}, 1, "bf16"),
        ("cuda", ABLE, {"dtype": "float32"}, 1, "fp16"),
        ("cuda", PLAIN, {"dtype": "bfloat16"}, 1, "fp16"),
        ("cpu", ABLE, {}, LARGE_ON_CPU - 1, "fp32"),
        ("cpu", ABLE, {}, LARGE_ON_CPU, "bf16"),
        ("cpu", PLAIN, {}, LARGE_ON_CPU, "fp32"),
        ("cpu", ABLE, {"dtype": "bfloat16"}, 1, "bf16"),
        ("cpu", ABLE, {"torch_dtype": "float16"}, 1, "bf16"),
        ("cpu", ABLE, {"dtype": "float32"}, 1, "fp32"),
        ("cpu", PLAIN, {"dtype": "bfloat16"}, LARGE_ON_CPU, "fp32"),
    ],
)
def test_auto_is_what_the_device_computes_best(
    device: Any, machine: Machine, config: dict[str, str], parameters: int, dtype: str
) -> None:
    assert choose_dtype("auto", device, machine, config, parameters) == dtype


def test_what_is_asked_for_is_taken_then_what_the_machine_was_started_with() -> None:
    assert choose_dtype("bf16", "cpu", PLAIN, {}, 1) == "bf16"
    assert choose_dtype("fp32", "cuda", Machine(dtype="bf16"), {"dtype": "bfloat16"}, 1) == "fp32"
    assert choose_dtype("auto", "cuda", Machine(dtype="fp32"), {"dtype": "bfloat16"}, 1) == "fp32"
