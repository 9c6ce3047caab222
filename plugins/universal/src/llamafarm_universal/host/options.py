"""What the server tells an engine host when it starts it."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.messages import Device, Dtype
from llamafarm_universal.messages.plan import Limits


@dataclass(frozen=True)
class HostOptions(Limits):
    """Settings of one engine host, for all of its models.

    device, dtype: what `auto` means for a model that asks for nothing else.
    idle_unload_seconds: how long after the end of its last request a model is unloaded; 0 keeps it.
    memory_budget_bytes: what all models together may take; None is 80 % of what a processor has, 90 % of a GPU's.
    keep: ids of models that are neither unloaded when idle nor evicted.
    prepare_seconds: how long the preparation of one request may take.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    idle_unload_seconds: float = 300.0
    memory_budget_bytes: int | None = None
    keep: frozenset[str] = frozenset()
    prepare_seconds: float = 60.0
