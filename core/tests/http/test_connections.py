"""The pool of connections: never more than allowed, nothing left open, and the same one for those who use httpx."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
from llamafarm.http import connections
from llamafarm.http.connections import Connections, Lost
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pool():
    """A pool of direct connections."""
    found = Connections({}, 5.0, None, None)
    try:
        yield found
    finally:
        await found.aclose()


async def get(found: Connections, url: str) -> bytes:
    """The body of the answer at `url`."""
    answer = await found.ask("GET", url, {})
    return await answer.read()


async def test_more_requests_than_connections_wait_for_their_turn(monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    async with ScriptedUpstream(answering({"ok": 1})) as upstream:
        async with pool() as client:
            answers = await asyncio.gather(*(get(client, upstream.base_url) for _ in range(10)))
        assert answers == [b'{"ok": 1}'] * 10
        assert upstream.connections <= 2


async def test_a_request_that_is_cancelled_while_it_waits_takes_no_turn(monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    asked_for, hold = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked, peer: Peer) -> None:
        asked_for.set()
        await hold.wait()
        await peer.answer(200, {})

    async with ScriptedUpstream(slow) as upstream, pool() as client:
        first = asyncio.create_task(get(client, upstream.base_url))
        waiting = asyncio.create_task(get(client, upstream.base_url))
        await asyncio.wait_for(asked_for.wait(), 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        hold.set()
        assert await first == b"{}"
        assert await get(client, upstream.base_url) == b"{}"


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
            async with pool() as client:
                if reused:
                    await get(client, f"{url}/first")
                task = asyncio.create_task(get(client, f"{url}/second"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
        async with asyncio.timeout(20):
            while open_ends:  # noqa: ASYNC110 - the ends of others are looked at
                await asyncio.sleep(0.01)


async def test_a_failure_gives_its_turn_back(monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    async with ScriptedUpstream(answering({})) as upstream:
        pass
    async with pool() as client:
        for _ in range(3):
            with pytest.raises(aiohttp.ClientConnectorError):
                await get(client, upstream.base_url)


async def test_a_connection_that_was_idle_for_too_long_is_replaced(monkeypatch):
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", -1.0)
    async with ScriptedUpstream(answering({})) as upstream:
        async with pool() as client:
            for _ in range(3):
                await get(client, upstream.base_url)
        assert upstream.connections == 3


async def test_closing_the_pool_closes_what_is_idle():
    gone = asyncio.get_running_loop().create_future()

    async def answers_and_waits(asked: Asked, peer: Peer) -> None:
        await peer.answer(200, {})
        gone.set_result(await peer.gone())

    async with ScriptedUpstream(answers_and_waits) as upstream:
        async with pool() as client:
            await get(client, upstream.base_url)
        assert await asyncio.wait_for(gone, 10)


async def test_a_library_that_takes_a_client_of_httpx_uses_the_same_connections():
    async with ScriptedUpstream(answering({"ok": 1})) as upstream, pool() as found:
        await get(found, upstream.base_url)
        async with httpx.AsyncClient(transport=found.transport()) as client:
            answer = await client.post(upstream.base_url, json={"a": 1})
        await get(found, upstream.base_url)
        assert (answer.json(), upstream.requests[1].body) == ({"ok": 1}, {"a": 1})
        assert upstream.connections == 1


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_lost_is_never_sent_twice_where_the_answer_had_begun(method, reused):
    async def cut(asked: Asked, peer: Peer) -> None:
        if asked.path == "/v1/first":
            await peer.answer(200, {})
        else:
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-")
            peer.close()

    async with ScriptedUpstream(cut) as upstream, pool() as found:
        if reused:
            await get(found, f"{upstream.base_url}/first")
        with pytest.raises(Lost):
            await found.ask(method, f"{upstream.base_url}/second", {})
        assert len(upstream.requests) == reused + 1


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_what_is_lost_on_a_fresh_connection_is_never_sent_twice(method):
    async def hangs_up(asked: Asked, peer: Peer) -> None:
        peer.close()

    async with ScriptedUpstream(hangs_up) as upstream, pool() as found:
        with pytest.raises(Lost):
            await found.ask(method, upstream.base_url, {})
        assert len(upstream.requests) == 1


async def test_nor_is_it_sent_a_third_time_while_other_connections_are_idle():
    ready = asyncio.Event()

    async def hangs_up_later(asked: Asked, peer: Peer) -> None:
        if asked.path == "/v1/first":
            if len(upstream.requests) == 3:
                ready.set()
            await ready.wait()
            await peer.answer(200, {})
        else:
            peer.close()

    async with ScriptedUpstream(hangs_up_later) as upstream, pool() as found:
        await asyncio.gather(*(get(found, f"{upstream.base_url}/first") for _ in range(3)))
        with pytest.raises(Lost):
            await found.ask("POST", f"{upstream.base_url}/second", {})
        assert [asked.path for asked in upstream.requests[3:]] == ["/v1/second"] * 2
        assert upstream.requests[-1].connection == 4
