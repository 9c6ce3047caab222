"""Replies made of chunks: for runtimes that do not speak the OpenAI wire."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import llamafarm
import pytest
from llamafarm.errors import ConnectionFailed, ProviderTimeout, RateLimited, UpstreamError
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.chunks import ChunkReply
from llamafarm.providers.entry import ModelEntry, Timeouts

pytestmark = pytest.mark.anyio
CALL = Call(entry=ModelEntry(name="m", provider="acme", model="m"), request_id="r")


def chunk(text: str = "", finish: str | None = None) -> dict:
    delta = {"content": text} if text else {}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


class Source:
    """What the chunks come from: gives what it was told to, waits at an Event, and knows whether it was closed."""

    def __init__(self, *script: dict | Exception | asyncio.Event) -> None:
        self.script = script
        self.closed = 0
        self.ended = False

    async def chunks(self):
        try:
            for one in self.script:
                if isinstance(one, Exception):
                    raise one
                if isinstance(one, asyncio.Event):
                    await one.wait()
                else:
                    yield one
        finally:
            self.ended = True

    async def close(self) -> None:
        self.closed += 1

    async def reply(self, *, call: Call = CALL, **limits) -> ChunkReply:
        return await ChunkReply.begin(
            self.chunks(), Endpoint("acme", "", timeouts=Timeouts(**limits)), call, close=self.close
        )


HELLO = (chunk("Hello "), chunk("there."), chunk(finish="stop"))


async def test_its_chunks_are_the_sources_own():
    reply = await Source(*HELLO).reply()
    assert [one async for one in reply.chunks()] == [*HELLO]


async def test_its_frames_end_with_done():
    reply = await Source(*HELLO).reply()
    *frames, done = [one async for one in reply.frames()]
    assert [json.loads(frame.removeprefix(b"data: ")) for frame in frames] == [*HELLO]
    assert done == b"data: [DONE]\n\n"


async def test_put_together_they_are_a_completion():
    reply = await Source(*HELLO, {"choices": [], "usage": {"total_tokens": 3}}).reply()
    answer = await reply.completion()
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}
    ]
    assert (answer["object"], answer["usage"]) == ("chat.completion", {"total_tokens": 3})


async def test_an_error_before_the_first_chunk_is_no_reply():
    source = Source(RateLimited("later"))
    with pytest.raises(RateLimited):
        await source.reply()
    assert source.closed


async def test_an_error_in_the_middle_ends_the_stream_and_closes_the_source():
    source = Source(chunk("Hello"), ConnectionFailed("gone"))
    reply = await source.reply()
    got = []
    with pytest.raises(ConnectionFailed):
        async for frame in reply.frames():
            got.append(frame)  # noqa: PERF401 - what came before the error is wanted
    assert len(got) == 1
    assert source.closed


async def test_an_empty_answer_is_an_error():
    source = Source()
    with pytest.raises(UpstreamError, match=r"The answer of acme \(model m\) is empty"):
        await source.reply()
    assert source.closed


async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one():
    reply = await Source(chunk("Hello")).reply()
    with pytest.raises(UpstreamError, match="broke off, without a finish reason"):
        await reply.completion()


async def test_an_answer_that_does_not_begin_in_time_is_an_error_that_names_the_setting():
    source = Source(asyncio.Event())
    with pytest.raises(ProviderTimeout, match="did not begin in time") as caught:
        await source.reply(first_byte=0.01)
    assert "`timeouts.first_byte`" in (caught.value.hint or "")
    assert source.closed


async def test_silence_in_the_middle_is_an_error():
    reply = await Source(chunk("Hello"), asyncio.Event()).reply(between_bytes=0.01)
    with pytest.raises(ProviderTimeout, match="silent for more than 0"):
        await reply.completion()


async def test_the_calls_deadline_holds():
    end = asyncio.get_running_loop().time() + 0.01
    call = Call(entry=CALL.entry, request_id="r", deadline=end)
    reply = await Source(chunk("Hello"), asyncio.Event()).reply(call=call)
    with pytest.raises(ProviderTimeout, match="not complete in time"):
        await reply.completion()


async def test_a_reply_that_is_closed_unread_closes_its_source():
    source = Source(*HELLO)
    reply = await source.reply()
    await reply.aclose()
    assert (source.closed, source.ended) == (1, True)
    await reply.aclose()


async def test_leaving_a_stream_closes_its_source():
    source = Source(*HELLO)
    reply = await source.reply()
    async with aclosing(reply.frames()) as frames:
        await anext(frames)
    assert (source.closed, source.ended) == (1, True)


async def test_it_can_be_closed_while_another_task_waits_for_a_chunk():
    gate = asyncio.Event()
    source = Source(chunk("Hello"), gate)

    async def close() -> None:
        gate.set()

    reply = await ChunkReply.begin(source.chunks(), Endpoint("acme", ""), CALL, close=close)
    reading = asyncio.ensure_future(reply.completion())
    await asyncio.sleep(0)
    await reply.aclose()
    with pytest.raises(UpstreamError, match="broke off"):
        await reading
    assert source.ended


async def test_cancelling_the_wait_for_the_first_chunk_closes_the_source():
    source = Source(asyncio.Event())
    asking = asyncio.ensure_future(source.reply())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (source.closed, source.ended) == (1, True)


async def test_without_a_close_the_generator_is_closed():
    source = Source(*HELLO)
    reply = await llamafarm.ChunkReply.begin(source.chunks(), Endpoint("acme", ""), CALL)
    await reply.aclose()
    assert source.ended
