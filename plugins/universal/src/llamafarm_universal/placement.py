"""Which device and which number format a model gets on a machine. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm_universal.failure import refused
from llamafarm_universal.messages import Device, DeviceName, Dtype, DtypeName, Machine

BYTES: Mapping[DtypeName, int] = {"fp16": 2, "bf16": 2, "fp32": 4}

LARGE_ON_CPU = 1_000_000_000
"""Parameters from which `auto` prefers bf16 on a processor with instructions for it: fp32 would take 4 GB and more."""

_HARDWARE: Mapping[Device, str] = {"cuda": "no NVIDIA GPU", "mps": "no Apple GPU"}


def choose_device(requested: Device, machine: Machine) -> DeviceName:
    """The device for a request's setting. Raises RequestFailed where it asks for one that is not there."""
    device = machine.devices.get(requested)
    if device is None:
        raise refused(
            f"Device `{requested}` is asked for, but there is {_HARDWARE[requested]} that this torch can use "
            f"(torch {machine.torch}).",
            "device",
            hint="Use `device: auto` or `device: cpu`, or install a torch build for this hardware.",
        )
    return device


def choose_dtype(
    requested: Dtype, device: DeviceName, machine: Machine, config: Mapping[str, Any], parameters: int
) -> DtypeName:
    """The number format for a request's setting.

    `auto` on a GPU is fp16, or bf16 where the model's configuration says so and the GPU can. On a processor it is fp32,
    or bf16 for models of LARGE_ON_CPU parameters and more where the processor has instructions for it (AVX-512 BF16 or
    AMX). Without them torch emulates bf16, and `benchmarks/dtype.py` measured on an AVX2 processor with two cores, for
    34M and 372M parameters: prompts are read 3 to 4 times slower, single tokens come 1.1 to 1.5 times faster. That is
    a loss for every prompt that is not very short, at either size, so bf16 is left to those who ask for it.
    """
    wanted = machine.dtype if requested == "auto" else requested
    if wanted != "auto":
        return wanted
    computes_bf16 = device in machine.bf16
    if device == "cpu":
        return "bf16" if parameters >= LARGE_ON_CPU and computes_bf16 else "fp32"
    asks_bf16 = "bfloat16" in str(config.get("dtype") or config.get("torch_dtype"))
    return "bf16" if asks_bf16 and computes_bf16 else "fp16"
