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
    prefill_tokens: how much of a prompt is read in one step; None is 128 on a processor, 512 elsewhere.
    batch_tokens: how much is embedded in one step; None is 2,048 on a processor, 16,384 elsewhere. A step holds up all
    other streams and cancellations, so it should take well under a second.
    memory_budget_bytes: what all models together may take; None is 80 % of what a processor has, 90 % of a GPU's.
    keep: ids of models that are neither unloaded when idle nor evicted.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    idle_unload_seconds: float = 300.0
    max_sequences: int = 32
    max_waiting: int = 1024
    prefill_tokens: int | None = None
    batch_tokens: int | None = None
    memory_budget_bytes: int | None = None
    keep: frozenset[str] = frozenset()

    def prefill_step(self, device: str) -> int:
        """Tokens of a prompt to read in one step on a device."""
        return self.prefill_tokens or (128 if device == "cpu" else 512)

    def batch_step(self, device: str) -> int:
        """Tokens to embed in one step on a device, padding included."""
        return self.batch_tokens or (2048 if device == "cpu" else 16_384)
