"""What a model has answered is kept for its client in order, within bounds."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm_universal.messages import Finished, Piece, Progress, TokenLogprob
from llamafarm_universal.server.results import Results

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def piece(text="a", **more) -> Piece:
    return Piece("r", 0, text, **more)


async def test_they_come_in_their_order_and_are_waited_for():
    results = Results()
    reading = asyncio.create_task(results.take())
    await asyncio.sleep(0)
    results.put(piece("a"))
    results.put(piece("b"))
    assert (await reading).text == "a"
    assert len(results) == 1
    assert (await results.take()).text == "b"
    assert len(results) == 0


async def test_too_many_events_are_too_many_until_they_are_read():
    results = Results(max_events=2)
    for _ in range(2):
        results.put(piece())
    assert not results.are_too_many
    results.put(piece())
    assert results.are_too_many
    await results.take()
    assert not results.are_too_many


@pytest.mark.parametrize(
    "large", [piece("x" * 1000), piece(logprobs=(TokenLogprob(b"x", -1.0, ((b"x", -1.0),) * 10),))]
)
async def test_too_many_bytes_are_too_many_until_they_are_read(large):
    results = Results(max_bytes=1000)
    results.put(piece())
    assert not results.are_too_many
    results.put(large)
    assert results.are_too_many
    for _ in range(2):
        await results.take()
    assert not results.are_too_many


async def test_the_value_of_an_answer_may_be_large():
    results = Results(max_bytes=1000)
    results.put(Finished("r", value=(b"x" * 10_000,)))
    assert not results.are_too_many


async def test_of_progress_only_the_latest_is_kept():
    results = Results()
    told = [Progress("r", 0, 1, 3), Progress("r", 0, 2, 3), Progress("r", 1, 1, 3), piece(), Progress("r", 1, 2, 3)]
    for event in told:
        results.put(event)
    assert [await results.take() for _ in range(4)] == told[1:]
