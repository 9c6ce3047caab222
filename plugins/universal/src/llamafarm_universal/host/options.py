"""What the server tells an engine host when it starts it."""

from __future__ import annotations

from dataclasses import dataclass

from llamafarm_universal.host.messages import Device, Dtype


@dataclass(frozen=True)
class HostOptions:
    """Settings of one engine host, for all of its models.

    device, dtype: what `auto` means for a model that asks for nothing else.
    idle_unload_seconds: how long after the end of its last request a model is unloaded; 0 keeps it.
    max_sequences: how many sequences one model generates at once; the others wait. max_waiting: how many may wait.
    prefill_tokens: how much of a prompt is read in one step. batch_tokens: how much is embedded in one.
    memory_budget_bytes: what all models together may take; None is 80 % of what a processor has, 90 % of a GPU's.
    keep: ids of models that are neither unloaded when idle nor evicted.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    idle_unload_seconds: float = 300.0
    max_sequences: int = 32
    max_waiting: int = 1024
    prefill_tokens: int = 512
    batch_tokens: int = 8192
    memory_budget_bytes: int | None = None
    keep: frozenset[str] = frozenset()
