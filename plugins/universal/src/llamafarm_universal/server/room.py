"""Room for models in the memory of each device: who gets it next, and who must go for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import DeviceName, LoadProgress, ModelRef
from llamafarm_universal.messages.plan import LoadPlan
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.memory import Budget
from llamafarm_universal.server.resident import Resident

log = logging.getLogger(__name__)


class Models(Protocol):
    """The models in memory and on their way there."""

    @property
    def residents(self) -> tuple[Resident, ...]: ...

    async def drain(self, resident: Resident) -> None: ...

    async def change(self) -> None: ...


class Room:
    """limit: how many bytes the models of a device may take, in all hosts. max_wait: seconds that a load waits for
    models that are busy before they are drained.
    """

    def __init__(self, models: Models, limit: Callable[[DeviceName], Awaitable[int]], max_wait: float) -> None:
        self._models = models
        self._limit = limit
        self._max_wait = max_wait
        self._budgets: dict[DeviceName, Budget] = {}
        self._turns: dict[DeviceName, asyncio.Lock] = {}

    async def make(self, resident: Resident, plan: LoadPlan) -> LoadPlan:
        """Wait for this load's turn, and then for room: loads of one device get it in the order of their coming.

        Returns the plan with all that its engine may use. Raises LlamaFarmError for a model that does not fit.
        """
        budget = await self._budget(plan.device)
        try:
            budget.check(plan)
        except RequestFailed as error:
            raise failure(error.event("")) from None
        resident.state = "waiting"
        async with self._turns.setdefault(plan.device, asyncio.Lock()):
            began = _now()
            while (victims := self._in_the_way(resident, plan, budget)) is not None:
                await self._clear_one(resident, victims, patience=began + self._max_wait - _now(), budget=budget)
            plan = budget.granted(plan)
            budget.reserve(resident.ref, plan.memory_bytes)
        return plan

    def take(self, plan: LoadPlan, size: int) -> None:
        """A model has been loaded, and takes so many bytes."""
        self._budgets[plan.device].reserve(plan.ref, size)

    def release(self, ref: ModelRef) -> None:
        """A model has gone, or does not come."""
        for budget in self._budgets.values():
            budget.release(ref)

    def _in_the_way(self, resident: Resident, plan: LoadPlan, budget: Budget) -> list[Resident] | None:
        """The models that must go before this one can come, the first to go first; None where there is room."""
        group = resident.keep.group
        own = {resident.ref, resident.ref.base}  # what an adapter changes does not make room for it
        others = [other for other in self._models.residents if other.ref not in own and other.plan is not None]
        rivals = [other for other in others if group is not None and other.keep.group == group and other.host]
        if not rivals and budget.fits(plan):
            return None
        holders = rivals or [other for other in others if other.plan and other.plan.device == plan.device]
        victims = [other for other in holders if other.may_go]
        return sorted(victims, key=lambda other: (other.is_busy, other.idle_since))

    async def _clear_one(self, waiting: Resident, victims: list[Resident], *, patience: float, budget: Budget) -> None:
        """Unload the first of the victims, if it is idle; else wait, and drain it when patience ends."""
        assert waiting.plan is not None
        if not victims:
            if not any(other.state == "loading" for other in self._models.residents):
                raise failure(budget.too_full(waiting.plan).event(""))
            await self._models.change()
        elif not victims[0].is_busy or patience <= 0:
            await self._models.drain(victims[0])
        else:
            text = f"{waiting.ref.id} waits for memory that busy models hold"
            waiting.tell(LoadProgress("", "loading", text))
            try:
                async with asyncio.timeout(patience):
                    await self._models.change()
            except TimeoutError:
                log.info("%s has waited long enough: %s makes room.", waiting.ref.id, victims[0].ref.id)

    async def _budget(self, device: DeviceName) -> Budget:
        if device not in self._budgets:
            limit = await self._limit(device)
            self._budgets.setdefault(device, Budget(limit))
        return self._budgets[device]


def _now() -> float:
    return asyncio.get_running_loop().time()
