"""How much memory the models of one device may take, and who holds it."""

from __future__ import annotations

from dataclasses import replace

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.units import readable

SHARE = 0.8
"""Of what was free at the start; the rest is for everything else that runs on the machine."""


class Budget:
    """The bytes that models hold or will hold, over all hosts of a device. limit: how many they may be together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: dict[ModelRef, int] = {}

    @property
    def free(self) -> int:
        """What is left of the limit."""
        return self.limit - sum(self._held.values())

    def check(self, plan: LoadPlan) -> None:
        """Raises RequestFailed where a model would not even fit alone."""
        if plan.memory_bytes > self.limit:
            raise RequestFailed(
                "out_of_memory",
                f"{plan.named} needs {readable(plan.memory_bytes)} as {plan.dtype}; "
                f"models on {plan.device} may take {readable(self.limit)}.",
                hint="Use a smaller model, dtype fp16 or bf16, another device, or give the runtime more memory.",
            )

    def too_full(self, plan: LoadPlan) -> RequestFailed:
        """The failure of a model for which nothing can make room."""
        return RequestFailed(
            "out_of_memory",
            f"{plan.named} needs {readable(plan.memory_bytes)} as {plan.dtype}; "
            f"{readable(max(self.free, 0))} of {plan.device} memory are free, and no model that may go holds more.",
            hint="Unload a model that is kept, or use a smaller model.",
        )

    def fits(self, plan: LoadPlan) -> bool:
        """Whether there is room for a model now."""
        return plan.memory_bytes <= self.free

    def granted(self, plan: LoadPlan) -> LoadPlan:
        """The plan with what its engine may use: all that it wishes, or half of what the others leave."""
        spare = max(0, self.free - plan.memory_bytes) // 2
        more = min(spare, max(0, plan.wished_bytes - plan.working_bytes))
        return replace(plan, working_bytes=plan.working_bytes + more)

    def reserve(self, ref: ModelRef, size: int) -> None:
        """Note what a model holds, or is going to."""
        self._held[ref] = size

    def release(self, ref: ModelRef) -> None:
        """A model is gone; one that held nothing is none."""
        self._held.pop(ref, None)
