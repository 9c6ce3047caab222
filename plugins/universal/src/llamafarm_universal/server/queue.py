"""The lines before each model: who may wait, whose turn is next, and when a refused client should come back.

It knows nothing of HTTP, hosts and models. A line stands before something that takes so many at once; a place is what
one sequence takes of that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from llamafarm.errors import ProviderTimeout, RateLimited

from llamafarm_universal.server.pace import Pace

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Load:
    """How busy a line is. running: places that are taken. waiting: places that are waited for."""

    running: int = 0
    waiting: int = 0


class Queue(Generic[Name]):
    """All lines of a server, by name. limit: how many places of one line may be taken and waited for together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: dict[Name, _Line] = {}

    def __iter__(self) -> Iterator[tuple[Name, Load]]:
        """Every line in which somebody runs or waits."""
        return iter([(name, line.load) for name, line in self._lines.items()])

    async def enter(
        self, name: Name, *, capacity: int, places: int = 1, tenant: str = "", deadline: float | None = None
    ) -> Place:
        """Wait for one's turn in a line, and return the places, which their holder releases.

        capacity: how many places are taken at once; a request for more has them all. deadline: on the event loop's
        clock. Raises RateLimited where the line is full, ProviderTimeout at the deadline. Whoever is cancelled leaves
        at once.
        """
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(self._limit, on_idle=partial(self._lines.pop, name))
        return await line.enter(capacity, places, tenant, deadline)


class Place:
    """The share of a line that a request holds while it runs."""

    def __init__(self, places: int, give_back: Callable[[int], None]) -> None:
        self._places = places
        self._give_back = give_back

    def release(self) -> None:
        """Let the next ones run; calling twice does nothing."""
        places, self._places = self._places, 0
        if places:
            self._give_back(places)


@dataclass(eq=False)
class _Request:
    """One that waits. turn: its place, or the refusal that makes room for another tenant's."""

    places: int
    tenant: str
    turn: asyncio.Future[Place]


@dataclass
class _Tenant:
    """served: how many places it has had, counted as if it had always been here. requests: those that wait."""

    served: int = 0
    requests: deque[_Request] = field(default_factory=deque)

    @property
    def waiting(self) -> int:
        return sum(request.places for request in self.requests)


class _Line:
    """One line. Its tenants take turns, place by place, as in start-time fair queueing (Goyal, Vin and Cheng, 1996)."""

    def __init__(self, limit: int, *, on_idle: Callable[[], object]) -> None:
        self._limit = limit
        self._on_idle = on_idle
        self._capacity = 1
        self._running = 0
        self._waiting = 0
        self._tenants: dict[str, _Tenant] = {}
        self._turn = 0
        """What the tenant that had its turn last had been served before: there a tenant begins that joins."""
        self._pace = Pace()
        self._clock = asyncio.get_running_loop().time

    @property
    def load(self) -> Load:
        return Load(self._running, self._waiting)

    async def enter(self, capacity: int, places: int, tenant: str, deadline: float | None) -> Place:
        self._capacity = capacity
        began = self._clock()
        self._make_room(places, tenant)
        request = self._join(places, tenant)
        try:
            async with asyncio.timeout_at(deadline):
                return await request.turn
        except BaseException as error:
            self._leave(request)
            if isinstance(error, TimeoutError):
                raise _late(self._clock() - began) from None
            raise

    def _make_room(self, places: int, tenant: str) -> None:
        """Where the line is full, raise RateLimited, or send the newest away of a tenant that fills more of it."""
        taken = self._running + self._waiting
        missing = taken + places - self._limit
        if not taken or missing <= 0:
            return
        largest = max(self._tenants.values(), key=lambda each: each.waiting, default=_Tenant())
        own = self._tenants.get(tenant, _Tenant()).waiting
        if largest.waiting - missing < own + places:
            raise self._refusal(places)
        while missing > 0:
            newest = largest.requests[-1]
            missing -= newest.places
            self._remove(newest)
            if not newest.turn.done():  # else it is about to leave by itself
                newest.turn.set_exception(self._refusal(newest.places))

    def _join(self, places: int, name: str) -> _Request:
        tenant = self._tenants.setdefault(name, _Tenant())
        tenant.served = max(tenant.served, self._turn)  # what it left to others is no claim
        request = _Request(places, name, asyncio.get_running_loop().create_future())
        tenant.requests.append(request)
        self._waiting += places
        self._serve()
        return request

    def _serve(self) -> None:
        """Give free places to those whose turn it is. One that is too large for them is waited for, or never ran."""
        while self._waiting:
            waiting = [tenant for tenant in self._tenants.values() if tenant.requests]
            tenant = min(waiting, key=lambda each: each.served)
            request = tenant.requests[0]
            if self._running and self._running + request.places > self._capacity:
                return
            self._remove(request)
            if not request.turn.done():  # else it is about to leave by itself
                self._turn = tenant.served
                tenant.served += request.places
                self._running += request.places
                request.turn.set_result(Place(request.places, self._give_back))

    def _give_back(self, places: int) -> None:
        self._running -= places
        self._pace.note(self._clock(), places)
        self._go_on()

    def _leave(self, request: _Request) -> None:
        """Take back a request for which nobody waits; it may have had its turn in this very moment."""
        turn = request.turn
        if turn.done() and not turn.cancelled():
            if turn.exception() is None:
                turn.result().release()
        elif request in self._tenants.get(request.tenant, _Tenant()).requests:
            self._remove(request)
            self._go_on()

    def _remove(self, request: _Request) -> None:
        self._tenants[request.tenant].requests.remove(request)
        self._waiting -= request.places

    def _go_on(self) -> None:
        """Whatever has come free goes to the next; those who have left are forgotten once it makes no difference."""
        self._serve()
        self._tenants = {
            name: tenant for name, tenant in self._tenants.items() if tenant.requests or tenant.served > self._turn
        }
        if not self._running and not self._waiting:
            self._on_idle()

    def _refusal(self, places: int) -> RateLimited:
        return RateLimited(
            f"The model is busy: {self._running} answers are running and {self._waiting} are waiting.",
            hint="Ask again later, or for fewer at once.",
            retry_after=self._pace.retry_after(self._clock(), places),
        )


def _late(seconds: float) -> ProviderTimeout:
    return ProviderTimeout(
        f"The model is busy: the request waited for its turn for {seconds:.1f} s, and its deadline has passed.",
        hint="Ask again later, or allow more time (`timeouts` of the model entry).",
        code="deadline_passed",
    )
