"""The store of models' files, as the server asks it: a process of its own, so that no disk holds up the event loop."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from llamafarm.errors import RateLimited

from llamafarm_universal.messages import (
    Describe,
    Described,
    FileFacts,
    Inspect,
    Inspected,
    LoadProgress,
    Locate,
    Located,
    Machine,
    ModelRef,
    Pull,
    Pulled,
    Remove,
    Removed,
    Stored,
    StoreRequest,
)
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.server.errors import RETRY_SECONDS, STORE_CHILD, ChildEnded, store_ended
from llamafarm_universal.server.hosts.supervisor import Supervisor
from llamafarm_universal.server.resident import Listener

STORE = "llamafarm_universal.store.main:run"
ATTEMPTS = 3
"""How often one request is asked where the store dies over it: what has come is kept, so that the next one goes on."""
MAX_REQUESTS = 256
"""At once. Each may need a thread of the store."""

Told = TypeVar("Told", Located, Pulled, Described, Inspected, Removed)


class Store:
    """limits: what plans carry to the engines. machine: what there is, once the engine host has said it."""

    def __init__(self, limits: Limits, machine: Callable[[], Awaitable[Machine]], *, target: str = STORE) -> None:
        self.supervisor = Supervisor(limits, child=STORE_CHILD, target=target)
        self._machine = machine
        self._under_way = 0
        self._numbers = itertools.count(1)

    def start(self) -> None:
        self.supervisor.start()

    async def close(self) -> None:
        await self.supervisor.close()

    async def locate(self, ref: ModelRef, listen: Listener = lambda _: None) -> LoadPlan:
        """Have a model's files here, and return how it is to be loaded. Raises LlamaFarmError."""
        machine = await self._machine()
        return (await self._ask(Locate(self._new_id(), ref, machine), Located, listen)).plan

    async def pull(self, ref: ModelRef, listen: Listener = lambda _: None) -> Pulled:
        """Have a model's files here. Raises LlamaFarmError."""
        return await self._ask(Pull(self._new_id(), ref), Pulled, listen)

    async def describe(self, models: Iterable[str]) -> Mapping[str, Stored]:
        """What is on the disk, of those of these models of which there is anything. Raises LlamaFarmError."""
        ids = tuple(models)
        if not ids:
            return {}
        return (await self._ask(Describe(self._new_id(), ids), Described)).stored

    async def inspect(self, refs: Iterable[ModelRef]) -> Mapping[ModelRef, FileFacts]:
        """What the files say of those of these models whose files are here. Raises LlamaFarmError."""
        asked = tuple(refs)
        if not asked:
            return {}
        return (await self._ask(Inspect(self._new_id(), asked), Inspected)).facts

    async def remove(self, model: str) -> int:
        """Delete a model's files. Returns the bytes that they took. Raises LlamaFarmError.

        It is not asked twice: what has been deleted once is not there, which would be an error.
        """
        return (await self._ask(Remove(self._new_id(), model), Removed, attempts=1)).freed_bytes

    def _new_id(self) -> str:
        return f"store-{next(self._numbers)}"

    async def _ask(
        self,
        command: StoreRequest,
        answer: type[Told],
        listen: Listener = lambda _: None,
        attempts: int = ATTEMPTS,
    ) -> Told:
        """Ask, and ask again where the store dies over it. Raises RateLimited where too many ask."""
        if self._under_way >= MAX_REQUESTS:
            raise RateLimited("Too many models are being fetched.", hint="Ask again later.", retry_after=RETRY_SECONDS)
        self._under_way += 1
        try:
            return await self._answer(command, answer, listen, attempts)
        finally:
            self._under_way -= 1

    async def _answer(self, command: StoreRequest, answer: type[Told], listen: Listener, attempts: int) -> Told:
        while True:
            running = await self.supervisor.submit(command)
            attempts -= 1
            try:
                while not isinstance(event := await running.next(), answer):
                    if isinstance(event, LoadProgress):
                        listen(event)
                return event
            except ChildEnded as error:
                if not attempts:
                    raise store_ended(error.how) from None
            finally:
                self.supervisor.forget(running)
