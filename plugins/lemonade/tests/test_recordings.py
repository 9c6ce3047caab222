"""Real exchanges with Lemonade 11.7.0, replayed byte for byte in the pieces in which they came."""

from __future__ import annotations

import json

import pytest
from lemonade_answers import RECORDINGS, recorded
from lemonade_asking import Asking
from llamafarm.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound, ProviderError, UpstreamError
from llamafarm.wire import sse
from llamafarm_kit.testing import Exchange, ReplayUpstream

pytestmark = pytest.mark.anyio
PRESENT = Exchange.load(RECORDINGS / "model-by-id.json")
"""The server knows the model and has its files."""


def replayed(*names: str) -> ReplayUpstream:
    known = Exchange("GET", None, PRESENT.status, PRESENT.headers, PRESENT.pieces)
    return ReplayUpstream(*(Exchange.load(RECORDINGS / f"{name}.json") for name in names), known)


async def answered(name: str) -> dict:
    """The answer to the recorded question, put together where it was streamed."""
    asked = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))["request"]["json"]
    async with replayed(name) as upstream, Asking(upstream, model=asked["model"]) as asking:
        reply = await asking.provider.chat(asked, asking.call())
        return await reply.completion()


@pytest.mark.parametrize("name", ["text", "tools-one-call", "json-schema", "reasoning", "chat-negative-max-tokens"])
async def test_a_whole_answer_is_the_servers_own_with_nothing_lost(name):
    assert await answered(name) == recorded(name)


async def test_the_other_prefix_of_the_server_is_asked_where_the_address_has_it():
    exchange = Exchange.load(RECORDINGS / "chat-api-v1-prefix.json")
    async with replayed("chat-api-v1-prefix") as upstream:
        base_url = upstream.base_url.removesuffix("/v1") + "/api/v1"
        async with Asking(upstream, model="extra.Tiny-Qwen2-F16", base_url=base_url) as asking:
            answer = await (await asking.chat()).completion()
    assert answer == recorded("chat-api-v1-prefix")
    assert {asked.path for asked in upstream.requests} == {exchange.path, "/api/v1/models/extra.Tiny-Qwen2-F16"}


@pytest.mark.parametrize(
    "name, content, finish",
    [
        ("text-stream", "Hello! I am a tiny test model.", "stop"),
        ("chat-stream", "\n" * 12, "length"),
        ("reasoning-stream", recorded("reasoning")["choices"][0]["message"]["content"], "stop"),
        ("tools-text-then-call-stream", "I will switch it on.\n", "tool_calls"),
    ],
)
async def test_a_stream_is_put_together_to_its_text(name, content, finish):
    choice = (await answered(name))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)


@pytest.mark.parametrize("name, calls", [("tools-one-call-stream", 1), ("tools-two-calls-stream", 2)])
async def test_tool_calls_that_come_in_pieces_are_put_together(name, calls):
    found = (await answered(name))["choices"][0]["message"]["tool_calls"]
    assert len(found) == calls
    assert all(call["id"] and isinstance(json.loads(call["function"]["arguments"]), dict) for call in found)


async def test_the_usage_of_a_stream_comes_with_its_timings():
    whole = await answered("text-stream")
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (9, 10)
    assert whole["timings"]["predicted_n"] == 10


async def test_a_stream_passes_through_byte_for_byte():
    found = json.loads((RECORDINGS / "text-stream.json").read_text(encoding="utf-8"))
    async with replayed("text-stream") as upstream, Asking(upstream) as asking:
        reply = await asking.chat(stream=True)
        frames = b"".join([frame async for frame in reply.frames()])
    assert frames.decode() == "".join(piece["text"] for piece in found["pieces"])
    assert frames.endswith(sse.DONE)


REFUSED = [
    ("chat-missing-model", ModelNotFound, 404, "model_not_found"),
    ("chat-missing-model-stream", ModelNotFound, 404, "model_not_found"),
    ("chat-too-long", ContextLengthExceeded, 400, "context_length_exceeded"),
    ("chat-too-long-stream", ContextLengthExceeded, 400, "context_length_exceeded"),
    ("chat-backend-fails", UpstreamError, 500, "model_load_error"),
    ("chat-backend-fails-stream", UpstreamError, 500, "model_load_error"),
    ("chat-messages-wrong-type", InvalidRequest, 400, "invalid_request_error"),
    ("chat-temperature-string", InvalidRequest, 400, "invalid_request_error"),
]


@pytest.mark.parametrize("name, kind, status, code", REFUSED)
async def test_a_refusal_is_its_own_error_with_the_servers_words(name, kind, status, code):
    found = (RECORDINGS / f"{name}.json").read_text(encoding="utf-8")
    text = "".join(piece["text"] for piece in json.loads(found)["pieces"])
    with pytest.raises(ProviderError) as caught:
        await answered(name)
    assert (type(caught.value), caught.value.status, caught.value.code) == (kind, status, code)
    assert caught.value.message in json.loads(text.removeprefix("data: "))["error"]["message"]
