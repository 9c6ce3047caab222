"""Answers of any media type: their bytes come as they are, and what is held for them is let go."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from llamafarm.errors import InvalidRequest, ProviderTimeout, UpstreamError
from llamafarm.http.content import read_content
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering

pytestmark = pytest.mark.anyio
ENTRY = ModelEntry(name="m", provider="p", model="m")
SOUND = bytes(range(256)) * 40


def sounding(*pieces: bytes, kind: str = "audio/mpeg", length: int | None = None):
    """A script that sends these pieces and promises `length` bytes, where that is more than they are."""

    async def script(_, peer):
        promised = sum(map(len, pieces)) if length is None else length
        await peer.head(200, {"content-type": kind, "content-length": str(promised)})
        for piece in pieces:
            await peer.send(piece)
        if length is not None:
            peer.close()

    return script


async def hanging(_, peer):
    await peer.head(200, {"content-type": "audio/mpeg", "content-length": "1000"})
    await peer.send(b"first")
    await peer.gone()


@asynccontextmanager
async def content_of(script, check=None, **limits):
    """The content that the answer of a script is, and the server that gave it."""
    async with ScriptedUpstream(script) as upstream:
        http = HttpUpstream(Endpoint("acme", upstream.base_url, timeouts=Timeouts(**limits)))
        try:
            answer = await http.open_stream("/x", {}, Call(ENTRY, "req-1"), stream=False)
            yield await read_content(http, answer, check), upstream
        finally:
            await http.aclose()


async def test_bytes_and_media_type_are_those_of_the_runtime():
    async with content_of(sounding(SOUND, SOUND, kind="audio/mpeg; rate=24000")) as (content, _):
        assert content.media_type == "audio/mpeg; rate=24000"
        assert await content.read() == SOUND + SOUND


async def test_pieces_come_before_the_answer_has_ended():
    async with content_of(hanging) as (content, upstream):
        pieces = content.pieces()
        assert await anext(pieces) == b"first"
        assert upstream.working() == 1
        await pieces.aclose()


async def test_an_answer_without_a_type_is_bytes():
    async def untyped(_, peer):
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    async with content_of(untyped) as (content, _):
        assert (content.media_type, await content.read()) == ("application/octet-stream", b"hi")


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "begun"])
async def test_closing_ends_the_runtimes_work_before_it_returns(read):
    async with content_of(hanging) as (content, upstream):
        pieces = content.pieces()
        for _ in range(read):
            await anext(pieces)
        await content.aclose()
        assert upstream.working() == 0
        await content.aclose()
        await pieces.aclose()


async def test_going_away_in_the_middle_ends_the_runtimes_work():
    async with content_of(hanging) as (content, upstream):
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in content.pieces():
                begun.set()

        reading = asyncio.create_task(read())
        await begun.wait()
        reading.cancel()
        await asyncio.wait([reading])
        assert upstream.working() == 0


async def test_what_breaks_off_is_an_error_that_names_the_provider():
    async with content_of(sounding(SOUND, length=len(SOUND) + 1)) as (content, _):
        with pytest.raises(UpstreamError, match=r"acme \(model m\).* broke off") as caught:
            await content.read()
        assert caught.value.provider == "acme"


async def test_silence_in_the_middle_is_a_timeout():
    async with content_of(hanging, between_bytes=0.03) as (content, _):
        with pytest.raises(ProviderTimeout, match="acme"):
            await content.read()


async def test_json_passes_as_the_runtime_wrote_it():
    written = b'{ "text" : "\\u00fc", "duration":1.50 }\n'
    async with content_of(sounding(written, kind="application/json; charset=utf-8")) as (content, _):
        assert content.media_type == "application/json; charset=utf-8"
        assert await content.read() == written


async def test_json_is_read_at_once_and_given_whole():
    async with content_of(answering({"data": [{"b64_json": "AAAA"}]})) as (content, upstream):
        assert upstream.working() == 0
        assert content.media_type == "application/json"
        assert await content.json() == {"data": [{"b64_json": "AAAA"}]}


async def test_an_error_inside_a_200_is_an_error():
    refused = {"error": {"message": "no such voice", "code": 400}}
    with pytest.raises(InvalidRequest, match="no such voice"):
        async with content_of(answering(refused)):
            raise AssertionError("there is no content")


async def test_json_that_is_not_what_was_asked_for_is_refused_by_the_providers_own_check():
    def check(body):
        raise UpstreamError(f"no pictures in {body}", provider="acme")

    with pytest.raises(UpstreamError, match="no pictures in"):
        async with content_of(answering({"text": "hi"}), check):
            raise AssertionError("there is no content")


async def test_a_web_page_answers_no_request():
    with pytest.raises(UpstreamError, match="is a web page: <html>Welcome"):
        async with content_of(answering("<html>Welcome to the router.</html>")):
            raise AssertionError("there is no content")
