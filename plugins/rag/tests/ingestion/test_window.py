"""How much may be on its way at a time."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm_rag.ingestion.window import Window

pytestmark = pytest.mark.anyio


async def entered(window: Window, items: int) -> asyncio.Task[None]:
    """Somebody who enters, or waits for room by now."""
    task = asyncio.create_task(window.enter(items))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_who_finds_no_room_waits_until_there_is_some():
    window = Window(10)
    await window.enter(7)
    waiting = await entered(window, 4)
    assert not waiting.done()
    await window.leave(2)
    await asyncio.wait_for(waiting, 5)


async def test_what_is_larger_than_all_of_it_enters_alone():
    window = Window(10)
    await window.enter(1)
    large = await entered(window, 99)
    assert not large.done()
    await window.leave(1)
    await asyncio.wait_for(large, 5)
    small = await entered(window, 1)
    assert not small.done()
    await window.leave(99)
    await asyncio.wait_for(small, 5)


async def test_who_is_cancelled_while_it_waits_takes_no_room():
    window = Window(10)
    await window.enter(10)
    waiting = await entered(window, 5)
    waiting.cancel()
    await asyncio.wait([waiting])
    await window.leave(10)
    await asyncio.wait_for(window.enter(10), 5)
