"""Rows asked side by side."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ConnectionFailed
from llamafarm_rag.evaluation.rounds import each_of, reasons

pytestmark = pytest.mark.anyio


async def test_the_first_is_asked_alone_and_then_so_many_at_once():
    running, asked = [0], []

    async def ask(item):
        running[0] += 1
        asked.append((item, running[0]))
        for _ in range(5):
            await asyncio.sleep(0)
        running[0] -= 1

    await each_of(range(10), ask, at_once=3)
    assert [item for item, _ in asked] == [*range(10)]
    assert [count for _, count in asked][:4] == [1, 1, 2, 3]
    assert max(count for _, count in asked) == 3


async def test_an_error_ends_it_and_nothing_goes_on():
    asked, ended = [], []

    async def ask(item):
        asked.append(item)
        try:
            await asyncio.sleep(0)
            if item == 2:
                raise ConnectionFailed("It is not there.")
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    with pytest.raises(ConnectionFailed):
        await each_of([2, *range(10)], ask, at_once=3)
    assert asked == ended == [2]


async def test_nothing_is_asked_of_nothing():
    await each_of([], None, at_once=1)


def test_a_reason_is_told_once_with_its_lines():
    assert reasons([(2, "late"), (3, "lost"), (5, "late")]) == {"late": [2, 5], "lost": [3]}
