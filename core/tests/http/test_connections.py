"""The pool of connections: the last used first, never more than allowed, nothing left open."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from llamafarm.http import connections
from llamafarm.http.connections import Connections
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering

pytestmark = pytest.mark.anyio


async def test_more_requests_than_connections_wait_for_their_turn():
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        async with httpx.AsyncClient(transport=Connections(limit=2)) as client:
            answers = await asyncio.gather(*(client.get(upstream.base_url) for _ in range(10)))
        assert [answer.json() for answer in answers] == [{"ok": 1}] * 10
        assert upstream.connections <= 2


async def test_a_request_that_is_cancelled_while_it_waits_takes_no_turn():
    asked_for, hold = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked, peer: Peer) -> None:
        asked_for.set()
        await hold.wait()
        await peer.answer(200, {})

    async with ScriptedUpstream(slow) as upstream, httpx.AsyncClient(transport=Connections(limit=1)) as client:
        first = asyncio.create_task(client.get(upstream.base_url))
        waiting = asyncio.create_task(client.get(upstream.base_url))
        await asyncio.wait_for(asked_for.wait(), 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        hold.set()
        assert (await first).status_code == 200
        assert (await client.get(upstream.base_url)).status_code == 200


@pytest.mark.parametrize("reused", [False, True])
async def test_a_request_that_is_cancelled_at_any_step_leaves_no_connection_open(reused):
    """steps: how often the loop turns before; the connection is made, waited for and written to in these."""
    open_ends: set[asyncio.StreamWriter] = set()

    async def answers_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.add(writer)
        while b"/first" in await reader.read(65536):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await reader.read()
        open_ends.discard(writer)
        writer.close()

    async with await asyncio.start_server(answers_the_first, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for steps in range(60):
            async with httpx.AsyncClient(transport=Connections()) as client:
                if reused:
                    await client.get(f"{url}/first")
                task = asyncio.create_task(client.get(f"{url}/second"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
        async with asyncio.timeout(20):
            while open_ends:  # noqa: ASYNC110 - the ends of others are looked at
                await asyncio.sleep(0.01)


async def test_a_failure_gives_its_turn_back():
    async with ScriptedUpstream(answering({})) as upstream:
        pass
    async with httpx.AsyncClient(transport=Connections(limit=1)) as client:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await client.get(upstream.base_url)


async def test_a_connection_that_was_idle_for_too_long_is_replaced(monkeypatch):
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", -1.0)
    async with ScriptedUpstream(answering({})) as upstream:
        async with httpx.AsyncClient(transport=Connections()) as client:
            for _ in range(3):
                await client.get(upstream.base_url)
        assert upstream.connections == 3


async def test_the_connection_that_was_used_last_is_taken_first():
    async with ScriptedUpstream(answering({})) as upstream:
        async with httpx.AsyncClient(transport=Connections()) as client:
            await asyncio.gather(*(client.get(upstream.base_url) for _ in range(3)))
            before = len(upstream.requests)
            for _ in range(5):
                await client.get(upstream.base_url)
        assert len({asked.connection for asked in upstream.requests[before:]}) == 1


async def test_closing_the_pool_closes_what_is_idle():
    gone = asyncio.get_running_loop().create_future()

    async def answers_and_waits(asked: Asked, peer: Peer) -> None:
        await peer.answer(200, {})
        gone.set_result(await peer.gone())

    async with ScriptedUpstream(answers_and_waits) as upstream:
        async with httpx.AsyncClient(transport=Connections()) as client:
            await client.get(upstream.base_url)
        assert await asyncio.wait_for(gone, 10)
