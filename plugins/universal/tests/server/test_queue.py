"""Lines before models: bounded, fair between tenants, and left at once by those for whom nobody waits."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ProviderTimeout, RateLimited
from llamafarm_universal.server.queue import Load, Place, Queue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Asking:
    """Requests of a queue, by the names that a test gives them; `order` is that in which they had their turns."""

    def __init__(self, *, limit: int = 100, capacity: int = 1) -> None:
        self.queue = Queue(limit)
        self.capacity = capacity
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.held: dict[str, Place] = {}
        self.order: list[str] = []

    async def ask(self, *names: str, line: str = "model", tenant: str = "", places: int = 1, **more) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._enter(name, line, tenant=tenant, places=places, **more))
        await settled()

    async def _enter(self, name: str, line: str, **how) -> None:
        self.held[name] = await self.queue.enter(line, capacity=self.capacity, **how)
        self.order.append(name)

    async def end(self, name: str) -> None:
        self.held.pop(name).release()
        await settled()

    async def end_all(self) -> str:
        """End whoever runs, again and again, and return the order of all turns."""
        while self.held:
            await self.end(next(iter(self.held)))
        return " ".join(self.order)

    async def refusal(self, name: str) -> BaseException:
        with pytest.raises((RateLimited, ProviderTimeout)) as caught:
            await self.tasks[name]
        return caught.value


async def settled() -> None:
    """Until all that can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_place_is_had_at_once_where_one_is_free_else_after_those_who_came_before():
    asking = Asking(capacity=2)
    await asking.ask("a", "b", "c", "d")
    assert asking.order == ["a", "b"]
    await asking.end("b")
    assert asking.order == ["a", "b", "c"]
    assert await asking.end_all() == "a b c d"


async def test_releasing_twice_gives_one_place_back():
    asking = Asking()
    await asking.ask("a", "b", "c")
    place = asking.held["a"]
    place.release()
    place.release()
    await settled()
    assert asking.order == ["a", "b"]


async def test_its_state_can_be_asked_and_nothing_is_kept_of_what_has_ended():
    asking = Asking(capacity=2)
    await asking.ask("a", "b", line="one", places=2)
    await asking.ask("c", line="other")
    assert dict(asking.queue) == {"one": Load(running=2, waiting=2), "other": Load(running=1)}
    await asking.end_all()
    assert dict(asking.queue) == {}


class TestPlaces:
    async def test_a_request_takes_as_many_as_it_has_sequences(self):
        asking = Asking(capacity=4)
        await asking.ask("three", places=3)
        await asking.ask("two", places=2)
        assert asking.order == ["three"]
        await asking.end("three")
        assert asking.order == ["three", "two"]

    async def test_a_large_request_is_not_overtaken_for_ever(self):
        asking = Asking(capacity=2)
        await asking.ask("a", "b")
        await asking.ask("large", places=2)
        await asking.ask("c", "d")
        await asking.end("a")
        assert asking.order == ["a", "b"]
        assert await asking.end_all() == "a b large c d"

    async def test_one_that_is_larger_than_all_there_is_runs_alone(self):
        asking = Asking(capacity=2)
        await asking.ask("a")
        await asking.ask("huge", places=9)
        await asking.ask("b")
        await asking.end("a")
        assert asking.order == ["a", "huge"]
        assert await asking.end_all() == "a huge b"


class TestFull:
    async def test_it_is_refused_with_when_to_come_back(self):
        asking = Asking(limit=2)
        await asking.ask("a", "b", "c")
        refused = await asking.refusal("c")
        assert refused.status == 429
        assert refused.message == "The model is busy: 1 answers are running and 1 are waiting."
        assert refused.retry_after == 2.0
        assert await asking.end_all() == "a b"

    async def test_other_lines_are_not(self):
        asking = Asking(limit=1)
        await asking.ask("a", "b", line="one")
        await asking.ask("c", line="other")
        assert asking.order == ["a", "c"]
        assert isinstance(await asking.refusal("b"), RateLimited)

    async def test_a_request_for_more_than_the_limit_is_taken_where_nobody_is(self):
        asking = Asking(limit=2)
        await asking.ask("huge", places=9)
        assert asking.order == ["huge"]

    async def test_a_tenant_that_fills_it_makes_room_with_its_newest_for_another(self):
        asking = Asking(limit=5)
        await asking.ask("a", "b", "c", "d", "e", tenant="flood")
        await asking.ask("x", "y", "z", tenant="small")
        assert isinstance(await asking.refusal("e"), RateLimited)
        assert isinstance(await asking.refusal("d"), RateLimited)
        assert isinstance(await asking.refusal("z"), RateLimited), "it has as many as the other by now"
        assert await asking.end_all() == "a x b y c"

    async def test_room_is_made_for_all_places_or_nobody_goes_in_vain(self):
        asking = Asking(limit=5)
        await asking.ask("a", "b", "c", "d", "e", tenant="flood")
        await asking.ask("large", tenant="small", places=3)
        assert isinstance(await asking.refusal("large"), RateLimited)
        assert await asking.end_all() == "a b c d e"


class TestTenants:
    async def test_they_take_turns(self):
        asking = Asking()
        await asking.ask("a1", "a2", "a3", "a4", tenant="a")
        await asking.ask("b1", "b2", tenant="b")
        await asking.ask("c1", tenant="c")
        assert await asking.end_all() == "a1 b1 c1 a2 b2 a3 a4"

    async def test_who_asks_for_more_at_once_has_fewer_turns(self):
        asking = Asking(capacity=2)
        await asking.ask("a1", "a2", "a3", tenant="a", places=2)
        await asking.ask("b1", "b2", "b3", "b4", tenant="b")
        assert await asking.end_all() == "a1 b1 b2 a2 b3 b4 a3"

    async def test_who_comes_late_has_no_claim_to_what_the_others_had_before(self):
        asking = Asking()
        await asking.ask("a1", "a2", "a3", "a4", "a5", "a6", tenant="a")
        for name in ("a1", "a2", "a3"):
            await asking.end(name)
        await asking.ask("b1", "b2", "b3", tenant="b")
        assert await asking.end_all() == "a1 a2 a3 a4 b1 a5 b2 a6 b3"

    async def test_who_comes_back_at_once_waits_for_its_turn(self):
        asking = Asking()
        await asking.ask("a1", "a2", tenant="a")
        await asking.ask("b1", "b2", tenant="b")
        await asking.end("a1")
        await asking.end("b1")
        await asking.ask("b3", tenant="b")
        assert await asking.end_all() == "a1 b1 a2 b2 b3"

    async def test_a_line_remembers_none_that_has_left(self):
        asking = Asking()
        await asking.ask("a")
        for i in range(50):
            await asking.ask(f"b{i}", tenant=f"b{i}")
        await asking.ask("last")
        while "last" not in asking.order:
            await asking.end(asking.order[-1])
        (line,) = asking.queue._lines.values()
        assert len(line._tenants) <= 2


class TestLeaving:
    async def test_whoever_is_cancelled_leaves_at_once(self):
        asking = Asking()
        await asking.ask("a", "b", "c")
        asking.tasks["b"].cancel()
        await settled()
        assert dict(asking.queue) == {"model": Load(running=1, waiting=1)}
        assert await asking.end_all() == "a c"

    async def test_those_behind_one_that_was_too_large_go_on(self):
        asking = Asking(capacity=2)
        await asking.ask("a")
        await asking.ask("large", places=2)
        await asking.ask("b")
        asking.tasks["large"].cancel()
        await settled()
        assert asking.order == ["a", "b"]

    async def test_a_turn_that_comes_as_its_request_leaves_goes_to_the_next(self):
        asking = Asking()
        await asking.ask("a", "b", "c")
        asking.tasks["b"].cancel()
        await asking.end("a")
        assert await asking.end_all() == "a c"
        await asking.ask("d", "e", "f")
        asking.held.pop("d").release()
        asking.tasks["e"].cancel()
        await settled()
        assert await asking.end_all() == "a c d f"
        assert dict(asking.queue) == {}

    async def test_at_its_deadline_a_request_leaves_with_an_error(self):
        asking = Asking()
        await asking.ask("a")
        now = asyncio.get_running_loop().time()
        await asking.ask("b", deadline=now)
        await asking.ask("c", deadline=now + 1000)
        late = await asking.refusal("b")
        assert (late.status, late.code) == (504, "deadline_passed")
        assert (
            late.message == "The model is busy: the request waited for its turn for 0.0 s, and its deadline has passed."
        )
        assert await asking.end_all() == "a c"

    async def test_who_has_its_turn_keeps_it_past_the_deadline(self):
        asking = Asking()
        await asking.ask("a", deadline=asyncio.get_running_loop().time() + 1000)
        assert asking.order == ["a"]
