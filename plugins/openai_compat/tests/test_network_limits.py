"""How long a server may take, each limit by itself; and what it says of its own limits, which reaches the client."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass

import httpx
import pytest
from llamafarm.errors import ConnectionFailed, ProviderTimeout, ProviderUnavailable
from llamafarm.wire import sse
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering, silent
from openai_asking import COMPLETION, MESSAGES, Asking, entry_at
from openai_networks import NAME, Proxy, resolve, without_settings
from openai_peers import in_front

pytestmark = pytest.mark.anyio
SHORT = 0.05
FIRST = sse.encode({"id": "c", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]})
LAST = sse.encode({"id": "c", "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]})
VECTORS = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
TOLD = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-tokens": "6m0s",
}
"""As OpenAI writes them: its page on rate limits, "Rate limits in headers"."""


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    without_settings(monkeypatch)
    monkeypatch.setattr("llamafarm.http.upstream.CONNECT_BACKOFF", 0.001)


@dataclass(frozen=True)
class At:
    """A server of which only the address matters."""

    base_url: str


@contextmanager
def full():
    """The port of a listener whose queue is full: the system lets whoever knocks next wait."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


async def stops_after_the_headers(asked: Asked, peer: Peer) -> None:
    await peer.stream(end=False)
    await peer.gone()


async def stops_in_the_middle(asked: Asked, peer: Peer) -> None:
    await peer.stream(FIRST, end=False)
    await peer.gone()


async def never_ends(asked: Asked, peer: Peer) -> None:
    await peer.stream(FIRST, end=False)
    while not peer.left():
        await peer.pieces(FIRST)
        await asyncio.sleep(0.005)


async def stops_in_a_whole_answer(asked: Asked, peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
    await peer.gone()


async def unconnected(base_url: str, connect: float = SHORT) -> ConnectionFailed:
    limits = {"connect": connect, "first_byte": None, "between_bytes": None, "total": 10}
    async with Asking(At(base_url), timeouts=limits) as asking:
        with pytest.raises(ConnectionFailed) as caught:
            await asking.chat()
        return caught.value


class TestConnecting:
    async def test_a_connection_that_does_not_come_is_waited_for_so_long(self):
        with full() as port:
            error = await unconnected(f"http://127.0.0.1:{port}")
        assert error.message == f"Cannot connect to openai at http://127.0.0.1:{port}/v1: no answer within {SHORT:g} s"
        assert "`timeouts.connect` of the model entry sets the limit." in (error.hint or "")

    async def test_tls_that_does_not_come_is_part_of_it(self):
        with full() as port:
            error = await unconnected(f"https://127.0.0.1:{port}")
        assert "timeouts.connect" in (error.hint or "")

    async def test_a_server_that_never_begins_tls_is_part_of_it(self, monkeypatch):
        resolve(monkeypatch, NAME)
        async with ScriptedUpstream(silent) as server:
            error = await unconnected(f"https://{NAME}:{server.port}")
            assert f"no answer within {SHORT:g} s" in error.message
            assert server.connections == 3  # nothing was sent, so it is tried again

    async def test_a_proxy_that_does_not_take_the_connection_is_named(self, monkeypatch):
        with full() as port:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
            error = await unconnected(f"http://{NAME}")
        assert f"through the proxy http://127.0.0.1:{port}: no answer within {SHORT:g} s" in error.message


@dataclass(frozen=True)
class Late:
    """limits: what is set. setting: which of them it is that ends the answer."""

    script: object
    stream: bool
    limits: dict[str, float]
    setting: str
    message: str


LATE = {
    "silent from the beginning": Late(
        silent, False, {"first_byte": SHORT}, "first_byte", "did not begin to answer in time"
    ),
    "silent before a stream": Late(silent, True, {"first_byte": SHORT}, "first_byte", "did not begin to answer"),
    "silent after the headers": Late(
        stops_after_the_headers, True, {"first_byte": SHORT, "between_bytes": 10}, "first_byte", "did not begin in time"
    ),
    "silent within a stream": Late(
        stops_in_the_middle,
        True,
        {"first_byte": 10, "between_bytes": SHORT, "total": 10},
        "between_bytes",
        f"was silent for more than {SHORT:g} s",
    ),
    "silent within a whole answer": Late(
        stops_in_a_whole_answer,
        False,
        {"between_bytes": SHORT},
        "between_bytes",
        f"was silent for more than {SHORT:g} s",
    ),
    "endless": Late(
        never_ends, True, {"first_byte": 10, "between_bytes": 10, "total": 0.1}, "total", "was not complete in time"
    ),
    "beyond the total before it begins": Late(
        silent, False, {"first_byte": 10, "total": SHORT}, "total", "did not begin to answer in time"
    ),
}


@pytest.fixture(params=["direct", "through a proxy"])
async def reached(request, monkeypatch):
    """reached(server) is its address, direct or by a name that only a proxy knows."""
    proxies = []

    async def reach(server: ScriptedUpstream) -> At:
        if request.param == "direct":
            return At(server.base_url)
        proxies.append(Proxy({f"{NAME}:80": server.port}))
        await proxies[-1].__aenter__()
        monkeypatch.setenv("HTTP_PROXY", proxies[-1].url)
        return At(f"http://{NAME}")

    yield reach
    for proxy in proxies:
        await proxy.__aexit__()


class TestAnswering:
    @pytest.mark.parametrize("case", LATE.values(), ids=LATE.keys())
    async def test_each_limit_ends_an_answer_by_itself_and_says_which_it_was(self, reached, case):
        limits = {"first_byte": None, "between_bytes": None, "total": None, **case.limits}
        async with ScriptedUpstream(case.script) as server, Asking(await reached(server), timeouts=limits) as asking:
            with pytest.raises(ProviderTimeout) as caught:
                await (await asking.chat(stream=case.stream)).completion()
            assert case.message in caught.value.message
            assert "openai (model gpt-x)" in caught.value.message
            assert caught.value.hint == f"`timeouts.{case.setting}` of the model entry sets the limit."
            assert len(server.requests) == 1

    async def test_a_proxy_that_takes_the_connection_and_leads_nowhere_is_named(self, monkeypatch):
        async with ScriptedUpstream(silent) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            async with Asking(At(f"https://{NAME}"), timeouts={"first_byte": SHORT}) as asking:
                with pytest.raises(ProviderTimeout, match=f"through the proxy http://127.0.0.1:{proxy.port} did not"):
                    await asking.chat()

    async def test_what_came_before_the_silence_is_not_lost(self, reached):
        limits = {"between_bytes": SHORT}
        upstream = ScriptedUpstream(stops_in_the_middle)
        async with upstream as server, Asking(await reached(server), timeouts=limits) as asking:
            frames = (await asking.chat(stream=True)).frames()
            assert await anext(frames) == FIRST
            with pytest.raises(ProviderTimeout):
                await anext(frames)

    async def test_the_server_is_told_by_the_end_of_its_connection(self, reached):
        left = asyncio.get_running_loop().create_future()

        async def watched(asked: Asked, peer: Peer) -> None:
            left.set_result(await peer.gone())

        limits = {"first_byte": SHORT}
        async with ScriptedUpstream(watched) as server, Asking(await reached(server), timeouts=limits) as asking:
            with pytest.raises(ProviderTimeout):
                await asking.chat()
            assert await asyncio.wait_for(left, 10)

    async def test_the_total_counts_the_waiting_between_attempts(self):
        later = answering({"error": "later"}, 503, {"retry-after": "5"})
        async with ScriptedUpstream(later) as server, Asking(server, timeouts={"total": 1}) as asking:
            with pytest.raises(ProviderUnavailable, match="later"):
                await asking.chat()
            assert len(server.requests) == 1


def before(server: ScriptedUpstream) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Our own API in front of `server`."""
    return in_front(entry_at(server.base_url))


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit")}


async def streams(asked: Asked, peer: Peer) -> None:
    await peer.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **TOLD})
    await peer.pieces(FIRST, LAST, sse.DONE)
    await peer.send(b"0\r\n\r\n")


class TestLimitsOfTheServer:
    async def test_they_come_with_a_whole_answer(self):
        async with ScriptedUpstream(answering(COMPLETION, headers=TOLD)) as server, before(server) as api:
            answer = await api.post("/chat/completions", json={"messages": MESSAGES})
            assert answer.json() == COMPLETION
            assert told(answer) == TOLD

    async def test_they_come_with_a_stream_before_its_first_event(self):
        asked = {"messages": MESSAGES, "stream": True}
        async with ScriptedUpstream(streams) as server, before(server) as api:
            async with api.stream("POST", "/chat/completions", json=asked) as answer:
                assert told(answer) == TOLD
                assert (await answer.aread()).endswith(sse.DONE)
            assert len(server.requests) == 1

    async def test_they_come_with_embeddings(self):
        async with ScriptedUpstream(answering(VECTORS, headers=TOLD)) as server, before(server) as api:
            answer = await api.post("/embeddings", json={"input": "Hi"})
            assert answer.json()["data"] == VECTORS["data"]
            assert told(answer) == TOLD

    @pytest.mark.parametrize("operation", ["chat", "a stream", "embeddings"])
    async def test_they_come_with_a_refusal_and_when_to_ask_again(self, operation):
        refusal = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
        headers = {**TOLD, "retry-after": "3600"}
        chat = {"messages": MESSAGES, "stream": operation == "a stream"}
        path, body = ("/embeddings", {"input": "Hi"}) if operation == "embeddings" else ("/chat/completions", chat)
        async with ScriptedUpstream(answering(refusal, 429, headers)) as server, before(server) as api:
            answer = await api.post(path, json=body)
            assert answer.status_code == 429
            assert answer.json()["error"]["code"] == "rate_limit_exceeded"
            assert answer.headers["retry-after"] == "3600"
            assert told(answer) == TOLD

    async def test_after_a_wait_those_of_the_answer_count_and_not_those_of_the_refusal(self):
        none_left = {**TOLD, "x-ratelimit-remaining-requests": "0", "retry-after": "0.01"}
        scripts = answering({"error": "slow down"}, 429, none_left), answering(COMPLETION, headers=TOLD)
        async with ScriptedUpstream(*scripts) as server, before(server) as api:
            answer = await api.post("/chat/completions", json={"messages": MESSAGES})
            assert answer.status_code == 200
            assert told(answer) == TOLD
            assert "retry-after" not in answer.headers
