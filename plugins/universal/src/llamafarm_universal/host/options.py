"""What the server tells an engine host when it starts it."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.host.messages import Device, Dtype


@dataclass(frozen=True)
class HostOptions:
    """Settings of one engine host, for all of its models.

    device, dtype: what `auto` means for a model that asks for nothing else.
    idle_unload_seconds: how long after the end of its last request a model is unloaded; 0 keeps it.
    max_sequences: how many sequences one model generates at once; the others wait.
    memory_budget_bytes: what all models together may take; None is what the device has.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    idle_unload_seconds: float = 300.0
    max_sequences: int = 32
    memory_budget_bytes: int | None = None
