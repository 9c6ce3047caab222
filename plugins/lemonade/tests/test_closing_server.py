"""A server that promises to keep a connection and closes it after each stream: no stream fails, none is asked twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from lemonade_asking import Asking
from lemonade_server import LemonadeServer
from llamafarm_kit.testing import ScriptedUpstream

pytestmark = pytest.mark.anyio
STREAMS = 200
TASKS = 16


def asked_for(server: LemonadeServer) -> Counter[str]:
    """How often each question has arrived."""
    return Counter(body["messages"][0]["content"] for body in server.asked("/chat/completions"))


def question(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Question {number}"}]


@pytest.fixture
def server():
    return LemonadeServer(text="")


async def test_two_hundred_streams_in_a_row_all_come_through_and_each_is_asked_once(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        answers = [await asking.streamed(messages=question(number)) for number in range(STREAMS)]
    assert answers == [f"Question {number}" for number in range(STREAMS)]
    assert set(asked_for(server).values()) == {1} and len(asked_for(server)) == STREAMS


async def test_two_hundred_streams_over_sixteen_tasks_all_come_through_and_each_is_asked_once(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        numbers = iter(range(STREAMS))
        answers: dict[int, str] = {}

        async def work() -> None:
            for number in numbers:
                answers[number] = await asking.streamed(messages=question(number))

        await asyncio.gather(*(work() for _ in range(TASKS)))
    assert answers == {number: f"Question {number}" for number in range(STREAMS)}
    assert set(asked_for(server).values()) == {1} and len(asked_for(server)) == STREAMS


async def test_whole_answers_between_the_streams_come_through_too(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        for number in range(0, STREAMS, 2):
            await asking.streamed(messages=question(number))
            whole = await (await asking.chat(messages=question(number + 1))).completion()
            assert whole["choices"][0]["message"]["content"] == f"Question {number + 1}"
    assert set(asked_for(server).values()) == {1} and len(asked_for(server)) == STREAMS


async def test_no_connection_is_used_again_after_a_stream_and_whole_answers_share_one(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        for _ in range(3):
            await asking.streamed()
        for _ in range(3):
            await (await asking.chat()).completion()
        streams = [one.connection for one in upstream.requests if one.headers.get("connection") == "close"]
        others = {one.connection for one in upstream.requests} - set(streams)
        assert len(set(streams)) == 3
        assert len(others) == 1


async def test_it_holds_where_the_server_keeps_its_promise(server):
    server.closes = False
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        answers = [await asking.streamed(messages=question(number)) for number in range(20)]
    assert answers == [f"Question {number}" for number in range(20)]
