"""Streams as servers send them, faults included, and the replies that they become."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llamafarm.errors import ContextLengthExceeded, ModelNotFound, ProviderError, ProviderTimeout, UpstreamError
from llamafarm.http.reply import SseReply, read_reply
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.providers.reply import JsonReply
from llamafarm.wire import sse
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering, streaming

pytestmark = pytest.mark.anyio
CALL = Call(entry=ModelEntry(name="m", provider="p", model="m"), request_id="r")


def chunk(text: str | None = None, finish: str | None = None, **delta) -> bytes:
    if text is not None:
        delta["content"] = text
    return sse.encode({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


ROLE, HELLO, STOP = chunk("", role="assistant"), chunk("Grüße 🌾"), chunk(finish="stop")


@asynccontextmanager
async def asked(*scripts, **limits):
    async with ScriptedUpstream(*scripts) as upstream:
        http = HttpUpstream(Endpoint("acme", upstream.base_url, timeouts=Timeouts(**limits)))

        async def ask(*, usage: bool = False):
            return await read_reply(http, await http.open_stream("/chat/completions", {}, CALL), usage=usage)

        ask.upstream = upstream
        try:
            yield ask
        finally:
            await http.aclose()


async def before_the_error(reply, match: str, kind: type[ProviderError] = UpstreamError) -> list[bytes]:
    """The frames that come before the stream raises."""
    got = []
    with pytest.raises(kind, match=match):
        async for frame in reply.frames():
            got.append(frame)  # noqa: PERF401 - what came before the error is wanted
    return got


async def frames_of(*pieces: bytes, end: bool = True, **limits) -> list[bytes]:
    async with asked(streaming(*pieces, end=end), **limits) as ask:
        reply = await ask()
        return [frame async for frame in reply.frames()]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=12))
def test_a_stream_may_be_cut_anywhere_even_inside_a_character(cuts):
    whole = b"".join([ROLE, HELLO, STOP, sse.DONE])
    places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    pieces = [whole[a:b] for a, b in pairwise(places)]
    assert asyncio.run(frames_of(*pieces)) == [ROLE, HELLO, STOP, sse.DONE]


async def test_half_a_character_at_the_end_is_a_stream_that_broke_off():
    cut = HELLO[: HELLO.index("ü".encode()) + 1]
    with pytest.raises(UpstreamError, match="broke off"):
        await frames_of(ROLE, cut, end=False)


async def test_a_stream_that_is_cut_in_the_middle_gives_what_came_and_then_an_error():
    async with asked(streaming(ROLE, HELLO, end=False)) as ask:
        got = await before_the_error(await ask(), "broke off")
    assert got == [ROLE, HELLO]


async def test_a_stream_that_ends_politely_but_without_finish_reason_and_done_broke_off():
    with pytest.raises(UpstreamError, match="without a finish reason and without"):
        await frames_of(ROLE, HELLO)


async def test_a_missing_done_is_added_where_a_finish_reason_came():
    assert await frames_of(ROLE, HELLO, STOP) == [ROLE, HELLO, STOP, sse.DONE]


async def test_done_without_a_finish_reason_is_an_end():
    assert await frames_of(ROLE, HELLO, sse.DONE) == [ROLE, HELLO, sse.DONE]


async def test_chunks_without_empty_lines_between_them_all_arrive():
    lines = b"".join(frame[:-1] for frame in (ROLE, HELLO, STOP, sse.DONE))
    assert await frames_of(lines) == [ROLE, HELLO, STOP, sse.DONE]


async def test_what_stands_before_done_in_one_event_is_sent():
    assert await frames_of(HELLO, STOP[:-1] + sse.DONE) == [HELLO, STOP, sse.DONE]


@pytest.mark.parametrize("silence", [b"data:\n\n", b"data: \n\n", b"data\n\n", b"event: ping\ndata: \n\n"], ids=repr)
async def test_empty_data_is_no_event_and_is_not_passed_on(silence):
    assert await frames_of(silence, HELLO, silence, STOP, sse.DONE) == [HELLO, STOP, sse.DONE]


async def test_an_empty_finish_reason_is_no_finish():
    going_on = chunk("half a w", finish="")
    with pytest.raises(UpstreamError, match="without a finish reason"):
        await frames_of(ROLE, going_on)
    async with asked(streaming(going_on, STOP)) as ask:
        assert [c["choices"][0]["finish_reason"] async for c in (await ask()).chunks()] == [None, "stop"]


async def test_done_alone_is_no_answer():
    async with asked(streaming(sse.DONE)) as ask:
        with pytest.raises(UpstreamError, match="holds no event"):
            await ask()


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
async def test_a_stream_is_read_whatever_type_its_server_says(kind):
    async def untyped(_: Asked, peer: Peer) -> None:
        await peer.head(200, {"transfer-encoding": "chunked", **({"content-type": kind} if kind else {})})
        await peer.pieces(ROLE, HELLO, STOP, sse.DONE, b"")

    async with asked(untyped) as ask:
        assert [frame async for frame in (await ask()).frames()] == [ROLE, HELLO, STOP, sse.DONE]


async def test_a_whole_answer_of_no_type_is_read_too():
    body = json.loads(HELLO[6:]) | {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    async with asked(answering(json.dumps(body))) as ask:
        assert await (await ask()).completion() == body


async def test_the_bytes_of_a_whole_answer_pass_through():
    content = b'{ "choices": [{"message": {"content": "Hi"}}] }'
    async with asked(answering(content.decode())) as ask:
        assert await (await ask()).body() == content


async def test_usage_after_the_finish_reason_still_comes():
    usage = sse.encode({"choices": [], "usage": {"total_tokens": 3}})
    assert await frames_of(HELLO, STOP, usage, sse.DONE) == [HELLO, STOP, usage, sse.DONE]


async def test_nothing_comes_after_done():
    assert await frames_of(HELLO, STOP, sse.DONE, HELLO) == [HELLO, STOP, sse.DONE]


async def test_a_last_event_without_its_empty_line_is_completed():
    assert await frames_of(HELLO, STOP.rstrip()) == [HELLO, STOP, sse.DONE]
    assert await frames_of(HELLO, b"data: [DONE]") == [HELLO, sse.DONE]


async def test_comments_are_tolerated_everywhere():
    ping = b": ping\n\n"
    assert await frames_of(ping, ping, HELLO, ping, STOP, sse.DONE) == [HELLO, ping, STOP, sse.DONE]


async def test_other_line_ends_pass_through():
    crlf = HELLO.replace(b"\n", b"\r\n")
    assert await frames_of(crlf, STOP, b"data:[DONE]\r\n\r\n") == [crlf, STOP, sse.DONE]


@pytest.mark.parametrize(
    "event, kind, status",
    [
        ({"error": {"message": "too long", "code": "context_length_exceeded"}}, ContextLengthExceeded, 400),
        ({"error": {"message": "too long", "code": 400, "type": "exceed_context_size_error"}}, ProviderError, 400),
        ({"error": {"message": "no such model", "code": "model_not_found"}}, ModelNotFound, 404),
        ({"error": {"message": "busy", "code": 503}}, ProviderError, 503),
        ({"error": "backend died"}, UpstreamError, 502),
        ({"object": "error", "message": "old shape", "code": 40001}, UpstreamError, 502),
    ],
)
async def test_an_error_as_the_first_event_is_an_error_with_a_status_and_no_stream(event, kind, status):
    async with asked(streaming(b": ping\n\n", sse.encode(event))) as ask:
        with pytest.raises(kind) as caught:
            await ask()
        assert caught.value.status == status


@pytest.mark.parametrize("data", [b"out of memory", b'{"message": "out of memory"}', b'{"error": "out of memory"}'])
async def test_an_error_event_by_its_name_is_an_error_too(data):
    async with asked(streaming(b"event: error\ndata: " + data + b"\n\n")) as ask:
        with pytest.raises(UpstreamError, match=r"^out of memory$"):
            await ask()


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
async def test_an_error_that_is_no_event_is_an_error_too(end):
    bare = b'{"error": {"message": "out of memory"}}' + end
    async with asked(streaming(bare), streaming(HELLO, bare)) as ask:
        with pytest.raises(UpstreamError, match=r"^out of memory$"):
            await ask()
        assert await before_the_error(await ask(), "^out of memory$") == [HELLO]


async def test_an_error_in_the_middle_ends_the_stream_with_the_upstreams_words():
    async with asked(streaming(HELLO, sse.encode({"error": {"message": "CUDA out of memory"}}), sse.DONE)) as ask:
        got = await before_the_error(await ask(), "CUDA out of memory")
    assert got == [HELLO]


async def test_an_error_that_is_not_quite_json_is_told_as_it_came():
    async with asked(streaming(HELLO, b'data: {"error": "Unknown value "a"."}\n\n')) as ask:
        assert await before_the_error(await ask(), 'Unknown value "a"') == [HELLO]


async def test_a_model_that_writes_about_errors_raises_none():
    texts = ['{"error": "not one"}', 'event: error\ndata: {"error": 1}', '"error"', "data: [DONE]\n\n"]
    spoken = [chunk(text) for text in texts]
    assert await frames_of(*spoken, STOP, sse.DONE) == [*spoken, STOP, sse.DONE]


async def test_a_null_error_beside_choices_is_none():
    quiet = sse.encode({"error": None, "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]})
    assert await frames_of(quiet, STOP, sse.DONE) == [quiet, STOP, sse.DONE]


async def test_an_event_without_end_is_refused(monkeypatch):
    monkeypatch.setitem(sse.split.__kwdefaults__, "limit", 10_000)
    with pytest.raises(UpstreamError, match="larger than 10000 bytes"):
        await frames_of(HELLO, b"data: " + b"x" * 50_000)


async def test_a_web_page_is_no_answer():
    async with asked(answering("<html>Welcome to nginx</html>")) as ask:
        with pytest.raises(UpstreamError, match=r"not JSON \(text/html"):
            await ask()


async def test_a_json_object_that_is_neither_answer_nor_error_is_refused():
    async with asked(answering({"status": "ok"})) as ask:
        with pytest.raises(UpstreamError, match="neither choices nor an error"):
            await ask()


@pytest.mark.parametrize("beside", [{}, {"choices": None}, {"choices": []}], ids=repr)
async def test_an_error_in_a_200_is_an_error(beside):
    async with asked(answering({**beside, "error": {"message": "no such model", "code": "model_not_found"}})) as ask:
        with pytest.raises(ModelNotFound):
            await ask()


async def test_an_answer_without_choices_is_none():
    async with asked(answering({"choices": None, "error": None})) as ask:
        with pytest.raises(UpstreamError, match="neither choices nor an error"):
            await ask()


async def test_a_stream_that_holds_no_event_is_refused():
    async with asked(streaming(b": ping\n\n")) as ask:
        with pytest.raises(UpstreamError, match="holds no event"):
            await ask()


async def test_a_server_that_answers_whole_though_a_stream_was_asked_for_still_streams():
    message = {"role": "assistant", "content": "Hi", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    body = {
        "id": "c",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"total_tokens": 3},
    }
    async with asked(answering(body)) as ask:
        reply = await ask(usage=True)
        assert isinstance(reply, JsonReply)
        *frames, last = [frame async for frame in reply.frames()]
        assert last == sse.DONE
        first, end, usage = (json.loads(frame.removeprefix(b"data: ")) for frame in frames)
        assert first["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "id": "1", "function": {"name": "f"}}]
        assert end["choices"][0]["finish_reason"] == "tool_calls"
        assert (usage["choices"], usage["usage"]) == ([], {"total_tokens": 3})
        assert len([chunk async for chunk in (await ask()).chunks()]) == 2


async def test_an_event_that_is_not_json_breaks_the_parsed_stream():
    async with asked(streaming(b"data: hello\n\n", STOP, sse.DONE)) as ask:
        reply = await ask()
        with pytest.raises(UpstreamError, match="not a JSON object: hello"):
            async for _ in reply.chunks():
                pass


async def test_silence_inside_a_stream_is_timed_out_and_pings_are_no_silence():
    async def pings(asked: Asked, peer: Peer) -> None:
        await peer.stream(ROLE, end=False)
        for _ in range(20):
            await peer.pieces(b": ping\n\n")
            await asyncio.sleep(0.01)
        await peer.gone()

    async with asked(pings, between_bytes=1.0) as ask:
        got = await before_the_error(await ask(), "was silent", ProviderTimeout)
    assert got == [ROLE] + [b": ping\n\n"] * 20


async def test_a_stream_read_to_its_end_gives_its_connection_back():
    async with asked(streaming(HELLO, STOP, sse.DONE)) as ask:
        for _ in range(3):
            assert isinstance(reply := await ask(), SseReply)
            assert [frame async for frame in reply.frames()][-1] == sse.DONE
        assert ask.upstream.connections == 1


async def test_leaving_the_frames_early_closes_the_connection():
    gone = asyncio.get_running_loop().create_future()

    async def endless(asked: Asked, peer: Peer) -> None:
        await peer.stream(HELLO, HELLO, end=False)
        gone.set_result(await peer.gone())

    async with asked(endless) as ask:
        frames = (await ask()).frames()
        await anext(frames)
        await frames.aclose()
        assert await asyncio.wait_for(gone, 10)


async def test_a_reply_that_nobody_reads_holds_no_connection_once_closed():
    gone = asyncio.get_running_loop().create_future()

    async def endless(asked: Asked, peer: Peer) -> None:
        await peer.stream(HELLO, end=False)
        gone.set_result(await peer.gone())

    async with asked(endless) as ask:
        reply = await ask()
        await reply.aclose()
        assert await asyncio.wait_for(gone, 10)


async def test_what_is_nested_too_deeply_to_be_written_again_is_the_runtimes_error():
    deep = "[" * 250 + "]" * 250
    whole = f'{{"choices": [{{"index": 0, "message": {{"role": "assistant", "content": "Hi"}}}}], "x": {deep}}}'
    part = f'data: {{"choices": [{{"index": 0, "delta": {{"content": "Hi"}}}}], "x": {deep}}}\n\n'.encode()
    async with asked(answering(whole), streaming(part, STOP, sse.DONE)) as ask:
        with pytest.raises(UpstreamError, match="nested too deeply"):
            await ask()
        reply = await ask()
        with pytest.raises(UpstreamError, match="nested too deeply"):
            await reply.completion()
