"""A server that fails in the middle: what was said is passed on, and the rest is an error, never a whole answer."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm import ConnectionBroken, ProviderTimeout, ProviderUnavailable, UpstreamError
from llamafarm_kit.testing import Asked, Exchange, Peer, Script
from ollama_asking import HELLO, asking
from ollama_fake import FakeOllama, line

pytestmark = pytest.mark.anyio
NDJSON = {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"}


def said(text: str) -> bytes:
    return line({"model": "tiny", "message": {"role": "assistant", "content": text}, "done": False})


END = line({"model": "tiny", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"})


def sending(*pieces: bytes, then: str = "end") -> Script:
    """Lines in pieces cut as given; then the end of the body, a closed or a reset connection, or nothing at all."""

    async def script(_: Asked, peer: Peer) -> None:
        await peer.head(200, NDJSON)
        await peer.pieces(*pieces)
        if then == "end":
            await peer.pieces(b"")
        elif then == "close":
            peer.close()
        elif then == "reset":
            peer.reset()
        else:
            await peer.gone()

    return script


async def read(ollama):
    """The text that came, and the error that followed."""
    reply = await ollama.provider.chat({"messages": HELLO, "stream": True}, ollama.call)
    text = ""
    try:
        async for chunk in reply.chunks():
            text += chunk["choices"][0]["delta"].get("content", "")
    except UpstreamError as error:
        return text, error.message
    return text, None


FAULTS = {
    "cut in the middle of a line": (sending(said("Hel"), said("lo")[:30], then="close"), "broke off"),
    "half a character at the end": (sending(said("Hel"), "ü".encode()[:1]), "not a JSON object"),
    "bytes that are no text": (
        sending(said("Hel"), b'{"done":false,"message":{"content":"\xff"}}\n'),
        "not a JSON object",
    ),
    "an error line": (sending(said("Hel"), line({"error": "out of luck"})), "out of luck"),
    "an end without done": (sending(said("Hel")), "not complete"),
    "a reset connection": (sending(said("Hel"), then="reset"), "broke off"),
    "a line of another wire": (sending(said("Hel"), b'{"choices": []}\n'), "none of Ollama's"),
    "a message of another type": (sending(said("Hel"), b'{"done":false,"message":"lo"}\n'), "none of Ollama's"),
    "something that is no JSON": (sending(said("Hel"), b"data: {}\n"), "not a JSON object"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_after_the_first_line_is_an_error_after_what_was_said(fault):
    script, words = FAULTS[fault]
    async with asking(script) as ollama:
        text, error = await read(ollama)
        assert text == "Hel"
        assert error is not None
        assert words in error


async def test_a_page_in_the_place_of_an_answer_is_an_error_that_says_so():
    async with asking(Exchange.any(200, "<html>Welcome</html>", "text/html")) as ollama:
        with pytest.raises(UpstreamError, match=r"text/html.*Welcome"):
            await ollama.chunks()


async def test_characters_and_lines_may_be_cut_anywhere():
    content = said("Grüße, 世界") + END
    async with asking(sending(*(content[at : at + 1] for at in range(len(content))))) as ollama:
        assert await read(ollama) == ("Grüße, 世界", None)


async def test_a_line_of_ten_megabytes_comes_whole():
    text = "x" * 10_000_000
    async with asking(sending(said(text) + END)) as ollama:
        assert await read(ollama) == (text, None)


async def test_a_line_without_end_is_refused_before_it_fills_the_memory():
    async with asking(sending(b"x" * 17_000_000, then="hold")) as ollama:
        with pytest.raises(UpstreamError, match="a line of more than"):
            await ollama.chunks()


async def test_the_last_line_needs_no_end():
    async with asking(sending(said("Hello"), END.rstrip())) as ollama:
        assert await read(ollama) == ("Hello", None)


async def test_an_answer_of_http_1_0_ends_with_its_connection():
    async def old(_: Asked, peer: Peer) -> None:
        await peer.send(b"HTTP/1.0 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n" + said("Hello") + END)
        peer.close()

    async with asking(old) as ollama:
        assert await read(ollama) == ("Hello", None)


async def test_a_connection_that_breaks_before_the_answer():
    async def gone(_: Asked, peer: Peer) -> None:
        peer.reset()

    async with asking(gone) as ollama:
        with pytest.raises(ConnectionBroken):
            await ollama.chunks()


async def test_a_server_that_is_still_loading_is_unavailable():
    async with asking(Exchange.any(503, '{"error": "server busy, please try again."}')) as ollama:
        with pytest.raises(ProviderUnavailable, match="server busy"):
            await ollama.chunks()


async def test_a_slow_first_byte_is_a_timeout():
    async def slow(_: Asked, peer: Peer) -> None:
        await peer.gone()

    async with asking(slow, timeouts={"first_byte": 0.1}) as ollama:
        with pytest.raises(ProviderTimeout, match="model tiny"):
            await ollama.chunks()


async def test_a_stream_that_falls_silent_is_a_timeout_after_what_was_said():
    async with asking(sending(said("Hel"), then="hold"), timeouts={"between_bytes": 0.1}) as ollama:
        reply = await ollama.provider.chat({"messages": HELLO, "stream": True}, ollama.call)
        chunks = reply.chunks()
        assert (await anext(chunks))["choices"][0]["delta"]["content"] == "Hel"
        with pytest.raises(ProviderTimeout, match="silent for more than"):
            await anext(chunks)
        assert ollama.upstream.working() == 0


@pytest.mark.parametrize("ask", ["chat", "embed", "pull"])
async def test_a_whole_answer_that_is_cut_is_an_error(ask):
    async def cut(_: Asked, peer: Peer) -> None:
        await peer.head(200, {"content-type": "application/json", "content-length": "500"})
        await peer.send(b'{"status": "pulling manifest"}\n' if ask == "pull" else b'{"model": "tiny", ')
        peer.close()

    async with asking(cut) as ollama:
        asked = {
            "chat": ollama.chat,
            "embed": lambda: ollama.embed("sky"),
            "pull": lambda: ollama.provider.pull(ollama.call),
        }
        with pytest.raises(UpstreamError, match="broke off"):
            await asked[ask]()


@pytest.mark.parametrize("tasks", [1, 16])
async def test_two_hundred_streams_over_kept_connections_that_are_closed_after_each(tasks):
    fake = FakeOllama()

    async def closing(asked: Asked, peer: Peer) -> None:
        await fake(asked, peer)
        peer.close()

    async with asking(closing) as ollama:

        async def some(task: int):
            return [await read(ollama) for _ in range(task, 200, tasks)]

        answers = [one for some_ in await asyncio.gather(*map(some, range(tasks))) for one in some_]
        assert answers == [("Hello there.", None)] * 200
        assert len(ollama.upstream.requests) == 200


async def test_a_connection_is_used_again_after_a_stream():
    async with asking(FakeOllama()) as ollama:
        for _ in range(5):
            assert await read(ollama) == ("Hello there.", None)
        assert ollama.upstream.connections == 1
