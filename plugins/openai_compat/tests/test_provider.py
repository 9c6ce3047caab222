"""The provider against real sockets: what goes out, what comes back, and what it means when it does not."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import UpstreamError
from llamafarm.providers.base import operations
from llamafarm.wire import parsed, sse
from llamafarm.wire.operations import OPERATIONS
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering, streaming
from llamafarm_openai_compat.provider import OpenAIProvider
from openai_asking import COMPLETION, MESSAGES, Asking

pytestmark = pytest.mark.anyio


def chunk(delta: dict, finish: str | None = None) -> bytes:
    return sse.encode(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
    )


STREAM = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, "stop"),
)


async def test_it_can_do_every_operation_of_the_table_that_servers_of_others_have():
    own = tuple(row for row in OPERATIONS if not row.name.startswith("vision/") and row.name != "audio/classify")
    assert operations(OpenAIProvider) == own


async def test_the_upstreams_own_completion_comes_back_with_nothing_lost():
    async with ScriptedUpstream(answering(COMPLETION)) as upstream, Asking(upstream) as asking:
        reply = await asking.chat()
        assert await reply.completion() == COMPLETION


async def test_the_entrys_model_key_headers_and_our_request_id_go_out():
    async with ScriptedUpstream(answering(COMPLETION)) as upstream:
        more = {"api_key": "sk-1", "headers": {"X-Team": "farm"}, "organization": "org-1"}
        async with Asking(upstream, **more) as asking:
            await asking.chat(temperature=0.5, unknown_field=[1])
        sent = upstream.requests[0]
        assert sent.path == "/v1/chat/completions"
        assert sent.body == {"messages": MESSAGES, "model": "gpt-x", "temperature": 0.5, "unknown_field": [1]}
        assert sent.headers["authorization"] == "Bearer sk-1"
        assert sent.headers["x-team"] == "farm"
        assert sent.headers["openai-organization"] == "org-1"
        assert sent.headers["x-request-id"] == "req-1"


async def test_a_stream_passes_through_byte_for_byte():
    async with ScriptedUpstream(streaming(*STREAM, sse.DONE)) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        assert [frame async for frame in reply.frames()] == [*STREAM, sse.DONE]


async def test_the_chunks_of_a_stream_are_its_events_parsed():
    async with ScriptedUpstream(streaming(*STREAM, sse.DONE)) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        deltas = [chunk["choices"][0]["delta"].get("content") async for chunk in reply.chunks()]
        assert deltas == ["", "Hel", "lo", None]


async def test_a_stream_can_be_read_as_one_completion():
    async with ScriptedUpstream(streaming(*STREAM, sse.DONE)) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        whole = await reply.completion()
        assert whole["object"] == "chat.completion"
        assert whole["choices"] == [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        ]


async def test_the_end_that_transformers_serve_does_not_send_is_added_where_the_answer_is_complete():
    async with ScriptedUpstream(streaming(*STREAM)) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        assert [frame async for frame in reply.frames()] == [*STREAM, sse.DONE]
    async with ScriptedUpstream(streaming(*STREAM[:3])) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        with pytest.raises(UpstreamError, match="without a finish reason"):
            [frame async for frame in reply.frames()]


async def test_usage_is_asked_for_only_where_the_client_asks():
    async with ScriptedUpstream(streaming(*STREAM, sse.DONE)) as upstream, Asking(upstream) as asking:
        await (await asking.chat(stream=True)).completion()
        await (await asking.chat(stream=True, stream_options={"include_usage": True})).completion()
        assert "stream_options" not in upstream.requests[0].body
        assert upstream.requests[1].body["stream_options"] == {"include_usage": True}


async def test_text_completions_and_embeddings_use_their_own_paths():
    vectors = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
    text = {"object": "text_completion", "choices": [{"index": 0, "text": " there", "finish_reason": "stop"}]}
    async with ScriptedUpstream(answering(text), answering(vectors)) as upstream, Asking(upstream) as asking:
        reply = await asking.provider.complete({"prompt": "Hi"}, asking.call())
        assert await reply.completion() == text
        assert parsed(await asking.provider.embed({"input": "Hi"}, asking.call())) == vectors
        assert [asked.path for asked in upstream.requests] == ["/v1/completions", "/v1/embeddings"]


async def test_two_hundred_streams_in_a_row_survive_a_server_that_closes_after_each_though_it_promised_to_keep_alive():
    async def closes_after_a_stream(asked: Asked, peer: Peer) -> None:
        await peer.stream(*STREAM, sse.DONE)
        peer.close()

    async with ScriptedUpstream(closes_after_a_stream) as upstream, Asking(upstream) as asking:
        for _ in range(200):
            reply = await asking.chat(stream=True)
            frames = [frame async for frame in reply.frames()]
            assert frames[-1] == sse.DONE


async def test_closing_a_reply_closes_the_connection_to_the_upstream():
    gone = asyncio.get_running_loop().create_future()

    async def endless(asked: Asked, peer: Peer) -> None:
        await peer.stream(STREAM[0], end=False)
        gone.set_result(await peer.gone())

    async with ScriptedUpstream(endless) as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        frames = reply.frames()
        assert await anext(frames) == STREAM[0]
        await reply.aclose()
        assert await asyncio.wait_for(gone, 10)
        await frames.aclose()
        await reply.aclose()


async def test_cancelling_a_request_that_waits_closes_the_connection_to_the_upstream():
    asked_for, gone = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def silent(asked: Asked, peer: Peer) -> None:
        asked_for.set()
        gone.set_result(await peer.gone())

    async with ScriptedUpstream(silent) as upstream, Asking(upstream) as asking:
        task = asyncio.create_task(asking.chat(stream=True))
        await asyncio.wait_for(asked_for.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.wait_for(gone, 10)
