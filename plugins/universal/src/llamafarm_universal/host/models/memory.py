"""How much memory models may take, and who holds it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from llamafarm_universal.device import free_memory, total_memory
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.models.loader import readable
from llamafarm_universal.messages import DeviceName, ModelRef
from llamafarm_universal.messages.plan import LoadPlan

# The rest is for caches, activations and everything else that runs on the machine.
_SHARES: dict[DeviceName, float] = {"cpu": 0.8, "mps": 0.7, "cuda": 0.9}


class Budget:
    """The bytes of each device that models hold or will hold. limit: for each device; None: a share of what it has."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._held: dict[ModelRef, tuple[DeviceName, int]] = {}

    def limit(self, device: DeviceName) -> int:
        return int(total_memory(device) * _SHARES[device]) if self._limit is None else self._limit

    def check(self, plan: LoadPlan) -> None:
        """Raises RequestFailed where a model would not even fit alone."""
        limit = self.limit(plan.device)
        if plan.memory_bytes > limit:
            raise RequestFailed(
                "out_of_memory",
                f"`{plan.ref.id}` needs {readable(plan.memory_bytes)} as {plan.dtype}; "
                f"models on {plan.device} may take {readable(limit)}.",
                hint="Use a smaller model, dtype fp16 or bf16, another device, or give the runtime more memory.",
            )

    def fits(self, plan: LoadPlan) -> bool:
        """Whether the budget, and the device as it is now, have room."""
        held = sum(size for device, size in self._held.values() if device == plan.device)
        return plan.memory_bytes <= min(self.limit(plan.device) - held, free_memory(plan.device))

    def too_full(self, plan: LoadPlan) -> RequestFailed:
        free = readable(free_memory(plan.device))
        return RequestFailed(
            "out_of_memory",
            f"`{plan.ref.id}` needs {readable(plan.memory_bytes)} as {plan.dtype}; "
            f"{free} of {plan.device} memory are free, and no idle model can make room.",
            hint="Unload a model that is kept, end other programs, or use a smaller model.",
        )

    def reserve(self, ref: ModelRef, device: DeviceName, size: int) -> None:
        self._held[ref] = (device, size)

    def release(self, ref: ModelRef) -> None:
        self._held.pop(ref, None)

    def reserves(self, residents: AbstractSet[ModelRef]) -> bool:
        """Whether models that are not loaded yet hold memory."""
        return bool(self._held.keys() - residents)
