"""Which device and which number format a model gets on a machine. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm_universal.failure import refused
from llamafarm_universal.messages import Device, DeviceName, Dtype, DtypeName, Machine

BYTES: Mapping[DtypeName, int] = {"fp16": 2, "bf16": 2, "fp32": 4}

LARGE_ON_CPU = 1_000_000_000
"""Parameters from which `auto` gives a model bf16 whatever its files have, where the processor gains by it: fp32 would
take 4 GB and more."""
_HALVES = ("bfloat16", "float16")

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
    or bf16 where the processor gains by it, which is measured (`host/models/linears/half`), and the model's own files
    have no more bits; models of LARGE_ON_CPU parameters and more get it for their size.
    """
    wanted = machine.dtype if requested == "auto" else requested
    if wanted != "auto":
        return wanted
    gains = device in machine.bf16
    own = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
    if device == "cpu":
        return "bf16" if gains and (own in _HALVES or parameters >= LARGE_ON_CPU) else "fp32"
    return "bf16" if own == "bfloat16" and gains else "fp16"
