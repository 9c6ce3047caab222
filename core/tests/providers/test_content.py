"""Contents that are there already, or made of a generator."""

from __future__ import annotations

import pytest
from llamafarm.errors import UpstreamError
from llamafarm.providers.content import Content

pytestmark = pytest.mark.anyio
SOUND = bytes(range(256)) * 40


async def test_a_content_may_be_there_already():
    content = Content.whole(SOUND, "audio/wav")
    assert (content.media_type, await content.read()) == ("audio/wav", SOUND)
    assert await Content.of_json({"text": "ü"}).json() == {"text": "ü"}
    await Content.whole(b"", "audio/wav").aclose()


async def test_a_content_may_be_made_of_a_generator_which_is_closed_with_it():
    ends = []

    async def drawn():
        try:
            yield b"a"
            yield b"b"
        finally:
            ends.append("generator")

    async def close():
        ends.append("runtime")

    content = Content("image/png", drawn(), close)
    pieces = content.pieces()
    assert await anext(pieces) == b"a"
    await content.aclose()
    assert ends == ["generator", "runtime"]
    await pieces.aclose()


async def test_json_that_is_none_says_what_came_instead():
    with pytest.raises(UpstreamError, match=r"not JSON \(text/plain\): b'Hello"):
        await Content.whole(b"Hello", "text/plain").json()


@pytest.mark.parametrize(("kind", "stream"), [
    ("text/event-stream", True), ("Text/Event-Stream; charset=utf-8", True), ("audio/mpeg", False), ("", False),
])  # fmt: skip
async def test_server_sent_events_are_known_by_their_type(kind, stream):
    assert Content.whole(b"", kind).is_stream is stream
