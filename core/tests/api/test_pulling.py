"""A pull whose client reads slowly keeps what is new, and ends with whoever listens."""

from __future__ import annotations

import asyncio
import json

import pytest
from llamafarm.api.pulling import WAITING, pull_events
from llamafarm.providers.base import Progress
from llamafarm.wire import sse

pytestmark = pytest.mark.anyio


async def test_what_waits_for_a_slow_client_is_bounded_and_ends_with_the_newest():
    async def work(progress):
        for done in range(10 * WAITING):
            progress(Progress("downloading", "pulling", done))

    told = [sse.parse(frame) async for frame in pull_events(work, {"pulled": True})]

    assert len(told) == WAITING + 1
    assert json.loads(told[-2].data)["done"] == 10 * WAITING - 1
    assert told[-1].name == "done"


async def test_a_pull_that_has_nothing_to_tell_is_done_at_once():
    async def work(_):
        await asyncio.sleep(0)

    events = pull_events(work, {"pulled": True})

    assert [event async for event in events] == [b'event: done\ndata: {"pulled":true}\n\n']


async def test_closing_ends_the_pull_and_may_be_done_twice():
    ended = asyncio.Event()

    async def work(progress):
        progress(Progress("downloading", "pulling"))
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    events = pull_events(work, {})
    await anext(events)
    await events.aclose()
    await events.aclose()

    assert ended.is_set()
