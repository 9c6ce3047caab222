"""What the processes that import no torch must know of this machine's devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llamafarm_universal.messages.model import Device, DeviceName, Dtype

_ONLY_CPU: Mapping[Device, DeviceName] = {"auto": "cpu", "cpu": "cpu"}


@dataclass(frozen=True)
class Machine:
    """devices: where each setting of `device` leads; one that is missing asks for a device that is not there.

    bf16: the devices that gain by it. dtype: what a model gets that asks for nothing else. torch: its version.
    memory: bytes of those devices that have their own.
    """

    devices: Mapping[Device, DeviceName] = field(default_factory=lambda: _ONLY_CPU)
    bf16: frozenset[DeviceName] = frozenset()
    dtype: Dtype = "auto"
    torch: str = ""
    memory: Mapping[DeviceName, int] = field(default_factory=dict)
