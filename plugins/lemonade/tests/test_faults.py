"""What a user sees when the server is slow, breaks, or sends what it should not; each fault on a real socket."""

from __future__ import annotations

import asyncio

import pytest
from lemonade_answers import chunks, refuse
from lemonade_asking import MESSAGES, Asking
from lemonade_server import MODEL, STREAMED, LemonadeServer
from llamafarm.errors import (
    ConnectionBroken,
    ConnectionFailed,
    ProviderTimeout,
    ProviderUnavailable,
    UpstreamError,
)
from llamafarm.wire import sse
from llamafarm_kit.testing import Asked, Peer, Script, ScriptedUpstream

pytestmark = pytest.mark.anyio
FIRST, *REST = chunks({"model": MODEL, "messages": MESSAGES}, "Grüß Gott aus der Farm", "stop")


def chatting(play: Script) -> Script:
    """A server that does everything well but chats, which `play` answers."""
    server = LemonadeServer()

    async def script(asked: Asked, peer: Peer) -> None:
        await (play if asked.path.endswith("/chat/completions") else server)(asked, peer)

    return script


def sending(*pieces: bytes, end: str = "close", headers: dict[str, str] = STREAMED) -> Script:
    """A chat that streams these pieces. end: `close` breaks off, `reset` too but harder, `done` ends properly."""

    async def play(asked: Asked, peer: Peer) -> None:
        await peer.head(200, headers)
        await peer.pieces(*pieces)
        if end == "done":
            await peer.pieces(b"")
        await asyncio.sleep(0)
        peer.reset() if end == "reset" else peer.close()

    return chatting(play)


def asking(play: Script, **entry):
    return _Asking(play, entry)


class _Asking:
    def __init__(self, play: Script, entry: dict) -> None:
        self._upstream = ScriptedUpstream(play)
        self._entry = entry

    async def __aenter__(self) -> Asking:
        await self._upstream.__aenter__()
        self._asking = Asking(self._upstream, **self._entry)
        return self._asking

    async def __aexit__(self, *exc: object) -> None:
        await self._asking.__aexit__(*exc)
        await self._upstream.__aexit__(*exc)


async def test_a_slow_first_byte_is_waited_for_as_long_as_the_entry_says():
    async def slow(asked: Asked, peer: Peer) -> None:
        await peer.gone()

    async with asking(chatting(slow), timeouts={"first_byte": 0.2}) as found:
        with pytest.raises(ProviderTimeout, match="did not begin to answer in time"):
            await found.chat(stream=True)


async def test_a_first_byte_that_is_slow_but_comes_in_time_is_no_fault():
    async def slow(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(0.05)
        await peer.send(b"content-type: text/event-stream\r\n\r\n" + b"".join((FIRST, *REST, sse.DONE)))
        peer.close()

    async with asking(chatting(slow), timeouts={"first_byte": 10}) as found:
        assert await found.streamed() == "Grüß Gott aus der Farm"


async def test_pings_before_the_first_token_and_between_are_no_answer_and_no_error():
    pieces = (b": ping\n\n", b": ping\n\n", FIRST, b": ping\n\n", *REST, sse.DONE)
    async with asking(sending(*pieces, end="done")) as found:
        assert await found.streamed() == "Grüß Gott aus der Farm"


HALF = 'data: {"choices":[{"index":0,"delta":{"content":"ü'.encode()[:-1]


@pytest.mark.parametrize("cut", [REST[0][:30], HALF], ids=["a line", "a character"])
async def test_a_stream_that_is_cut_in_the_middle_breaks_off(cut):
    async with asking(sending(FIRST, cut)) as found:
        with pytest.raises(UpstreamError, match="broke off"):
            await found.streamed()


async def test_a_stream_that_ends_without_finish_and_done_is_no_whole_answer():
    async with asking(sending(FIRST, REST[0], end="done")) as found:
        with pytest.raises(UpstreamError, match=r"without a finish reason and without \[DONE\]"):
            await found.streamed()


async def test_a_missing_done_after_the_finish_is_added():
    async with asking(sending(FIRST, *REST, end="done")) as found:
        reply = await found.chat(stream=True)
        assert [frame async for frame in reply.frames()][-1] == sse.DONE


async def test_a_character_that_is_cut_in_half_between_two_pieces_is_whole_in_the_text():
    whole = b"".join((FIRST, *REST, sse.DONE)).replace(rb"\u00fc", "ü".encode()).replace(rb"\u00df", "ß".encode())
    middle = whole.index("ü".encode()) + 1
    async with asking(sending(whole[:middle], whole[middle:], end="done")) as found:
        assert await found.streamed() == "Grüß Gott aus der Farm"


@pytest.mark.parametrize(
    "error",
    [
        {"message": "the backend has died", "type": "backend_error", "code": 500},
        "the backend has died",
        '{"error": {"message": "the backend has died"}}',
    ],
    ids=["object", "text", "text of an object"],
)
async def test_an_error_after_the_first_token_ends_the_stream_with_the_servers_words(error):
    async with asking(sending(FIRST, REST[0], sse.encode({"error": error}), end="done")) as found:
        reply = await found.chat(stream=True)
        seen = []
        with pytest.raises(UpstreamError, match="the backend has died"):
            async for frame in reply.frames():
                seen.append(frame)  # noqa: PERF401 - what came before the error counts
    assert seen == [FIRST, REST[0]]


async def test_an_error_before_the_first_token_is_an_error_and_no_stream():
    async with asking(sending(sse.encode({"error": "the backend has died"}), end="done")) as found:
        with pytest.raises(UpstreamError, match="the backend has died"):
            await found.chat(stream=True)


async def test_a_backend_that_is_still_loading_is_asked_again_when_it_says_and_told_when_not():
    answers = [{"retry-after": "0"}, {}]

    async def loading(asked: Asked, peer: Peer) -> None:
        body = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
        await peer.answer(503, body, answers.pop(0))

    async with asking(chatting(loading)) as found:
        with pytest.raises(ProviderUnavailable, match="Loading model"):
            await found.chat()
    assert answers == []


async def test_a_page_instead_of_an_answer_is_the_servers_fault():
    async def page(asked: Asked, peer: Peer) -> None:
        await peer.answer(200, "<html>Welcome</html>")

    async with asking(chatting(page)) as found:
        with pytest.raises(UpstreamError, match="text/html"):
            await found.chat(stream=True)


async def test_a_whole_answer_to_a_question_for_a_stream_is_taken_as_one():
    async def whole(asked: Asked, peer: Peer) -> None:
        await LemonadeServer()(Asked("POST", asked.path, {}, asked.content.replace(b"true", b"false"), 1), peer)

    async with asking(chatting(whole)) as found:
        assert await found.streamed() == "Hello! I am a tiny test model."


async def test_a_line_of_ten_megabytes_comes_through():
    text = "x" * 10_000_000
    events = chunks({"model": MODEL, "messages": MESSAGES}, text, "stop")
    async with asking(sending(*events, sse.DONE, end="done")) as found:
        assert await found.streamed() == text


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_that_breaks_in_the_middle_is_told(end):
    async with asking(sending(FIRST, end=end)) as found:
        with pytest.raises(UpstreamError, match="broke off"):
            await found.streamed()


async def test_a_fresh_connection_that_is_reset_before_the_answer_is_told_and_not_asked_again():
    asked_for = []

    async def reset(asked: Asked, peer: Peer) -> None:
        if asked.method == "GET":
            await refuse(peer, 404, {"error": "closing"})
            return
        asked_for.append(asked)
        peer.reset()

    async with asking(reset) as found:
        with pytest.raises(ConnectionBroken, match="lemonade"):
            await found.chat(stream=True)
    assert len(asked_for) == 1


async def test_an_answer_in_http_1_0_that_ends_with_its_connection_is_read():
    async def old(asked: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await peer.send(b"".join((FIRST, *REST, sse.DONE)))
        peer.close()

    async with asking(chatting(old)) as found:
        assert await found.streamed() == "Grüß Gott aus der Farm"


async def test_a_server_that_is_not_there_cannot_be_connected_to():
    upstream = ScriptedUpstream(LemonadeServer())
    async with upstream:
        pass
    async with Asking(upstream) as found:
        with pytest.raises(ConnectionFailed, match="Cannot connect to lemonade"):
            await found.chat()
