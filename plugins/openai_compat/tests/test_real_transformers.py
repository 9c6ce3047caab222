"""A real `transformers serve` with a model in its cache: what it does, and what the provider makes of it.

Where a test shows something that the server leaves out or lets pass, that is a fact of transformers 5.23, on which its
profile rests.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

import httpx
import llamafarm_universal
import psutil
import pytest
from llamafarm.errors import InvalidRequest, ModelNotFound, UpstreamError
from llamafarm.wire import sse
from openai_peers import BOUND, Client, chunks_of, in_front, running, texts_of

pytestmark = pytest.mark.anyio
MODEL = "farm/demo"
ANSWER = "LlamaFarm runs models for people who build applications."
ENDLESS = {"logit_bias": {"1": -100.0}, "max_tokens": 900}
"""The demonstration model ends an answer with its token 1."""
IGNORED = {"response_format": {"type": "json_object"}}, {"n": 2}, {"tool_choice": "none"}, {"modalities": ["audio"]}
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def bare(folder):
    """The server while nothing is in its cache, and no cache either: the first tests are about that."""
    command = "-m", "transformers.cli.transformers", "serve", "--host", "127.0.0.1", "--port", "0", "--device", "cpu"
    with running(folder, *command, says="Uvicorn running on") as made:
        yield made


@pytest.fixture(scope="module")
def server(bare, folder):
    """The same with the demonstration model in its cache, as a download leaves it there."""
    kept = folder / "hub" / "hub" / f"models--{MODEL.replace('/', '--')}"
    shutil.copytree(Path(llamafarm_universal.__file__).parent / "demo_model", kept / "snapshots" / REVISION)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(REVISION)
    return bare


@pytest.fixture
async def demo(server):
    async with Client(server.base_url, MODEL) as made:
        yield made


@pytest.fixture
async def named(server):
    """An entry that names its profile."""
    async with Client(server.base_url, MODEL, profile="transformers-serve") as made:
        yield made


class TestWithoutACache:
    async def test_its_list_of_models_fails_and_its_health_is_good_all_the_same(self, bare):
        async with Client(bare.base_url, MODEL) as client:
            with pytest.raises(UpstreamError, match="status 500: Internal Server Error"):
                await client.provider.list_models()
            assert (await client.provider.health()).ok

    async def test_named_by_its_profile_it_is_asked_for_its_health_at_once(self, bare):
        async with Client(bare.base_url, MODEL, profile="transformers-serve") as client:
            assert (await client.provider.health()).ok


class TestModels:
    async def test_the_cache_is_listed_and_recognises_the_server(self, demo):
        [found] = await demo.provider.list_models()
        assert found.id == MODEL
        assert found.context_length is None
        assert demo.provider.recognition.known.name == "transformers-serve"
        with pytest.raises(ModelNotFound):
            await demo.provider.describe("nobody/nothing")


class TestChat:
    async def test_whole_and_streamed_it_says_the_same(self, demo):
        whole = await (await demo.chat("What is LlamaFarm?", max_tokens=40)).completion()
        text = whole["choices"][0]["message"]["content"]
        assert text.startswith(ANSWER)
        assert whole["model"] == f"{MODEL}@main"
        reply = await demo.chat("What is LlamaFarm?", max_tokens=40, stream=True)
        chunks = [chunk async for chunk in reply.chunks()]
        assert texts_of(chunks) == text
        assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
        assert chunks[-1]["usage"] == whole["usage"]  # asked for or not, and beside the finish

    async def test_the_end_that_it_leaves_out_is_added(self, demo):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}
        async with httpx.AsyncClient(trust_env=False, timeout=BOUND) as client:
            raw = (await client.post(f"{demo.entry.base_url}/chat/completions", json=body)).text
        assert json.loads(chunks_of(raw)[-1])["choices"][0]["finish_reason"] == "length"
        frames = [frame async for frame in (await demo.chat("Hi", max_tokens=2, stream=True)).frames()]
        assert frames[-1] == sse.DONE
        assert len(frames) == len(chunks_of(raw)) + 1

    async def test_a_stop_text_is_part_of_its_answer(self, demo):
        assert await demo.said("What is LlamaFarm?", stop=["models"]) == "LlamaFarm runs models"

    async def test_the_calls_of_a_model_without_a_template_for_them_stay_text(self, demo):
        tool = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
        reply = await demo.chat("What is the weather in Paris?", tools=[{"type": "function", "function": tool}])
        choice = (await reply.completion())["choices"][0]
        assert "tool_calls" not in choice["message"]
        assert choice["message"]["content"].startswith("<tool_call>")

    async def test_a_prompt_beyond_the_context_is_not_noticed_by_it(self, demo):
        whole = await (await demo.chat("What is it? " * 400, max_tokens=1)).completion()
        assert whole["usage"]["prompt_tokens"] > 1024


class TestCompletions:
    async def test_a_text_is_continued_whole_and_streamed(self, demo):
        request = {"prompt": "What is", "max_tokens": 4, "temperature": 0}
        whole = await (await demo.provider.complete(request, demo.call())).completion()
        streamed = await (await demo.provider.complete({**request, "stream": True}, demo.call())).completion()
        assert whole["choices"][0]["finish_reason"] == "length"
        assert streamed["choices"][0]["text"] == whole["choices"][0]["text"]

    async def test_several_at_once_are_refused_in_its_words(self, demo):
        with pytest.raises(InvalidRequest, match=r"prompt must be a string\."):
            await demo.provider.complete({"prompt": ["a", "b"]}, demo.call())


class TestWhatItIgnores:
    @pytest.mark.parametrize("asked", IGNORED)
    @pytest.mark.parametrize("known", ["by its profile", "by its models"])
    async def test_what_would_change_the_answer_is_refused(self, demo, named, known, asked):
        client = named if known == "by its profile" else demo
        with pytest.raises(InvalidRequest, match="`transformers serve` ignores it") as caught:
            await client.chat("Hi", **asked)
        assert caught.value.param == next(iter(asked))

    async def test_what_would_not_is_left_out_and_named(self, named):
        await named.said("Hi", max_tokens=1, user="ann", metadata={"a": "b"}, service_tier="flex")
        assert set(named.headers["X-LF-Ignored"].split(", ")) == {"user", "metadata", "service_tier"}

    async def test_it_does_take_the_requests_that_the_provider_refuses_for_it(self, server):
        """As long as this holds, the profile must refuse them."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        ignored = {"n": 2, "response_format": {"type": "json_object"}, "presence_penalty": 1, "logprobs": True}
        ignored |= {"functions": [{"name": "f"}], "function_call": "f", "modalities": ["audio"], "verbosity": "low"}
        ignored |= {"prediction": {"type": "content", "content": "x"}, "web_search_options": {}, "service_tier": "flex"}
        async with httpx.AsyncClient(trust_env=False, timeout=BOUND) as client:
            answer = await client.post(f"{server.base_url}/chat/completions", json={**body, **ignored})
        assert answer.status_code == 200
        assert len(answer.json()["choices"]) == 1
        assert "logprobs" not in answer.json()["choices"][0]


class TestRefusals:
    async def test_a_field_that_openai_does_not_have(self, demo):
        with pytest.raises(InvalidRequest, match=r"Unexpected fields in the request: \{'top_k'\}") as caught:
            await demo.chat("Hi", top_k=3)
        assert caught.value.status == 422

    async def test_what_it_tells_of_a_wrong_model_is_nothing(self, server):
        async with Client(server.base_url, "nobody/nothing") as client:
            with pytest.raises(UpstreamError, match="status 500: Internal Server Error"):
                await client.chat("Hi")

    async def test_nor_of_a_parameter_that_makes_no_sense(self, demo):
        with pytest.raises(UpstreamError, match="status 500: Internal Server Error"):
            await demo.chat("Hi", temperature="hot")

    async def test_an_operation_that_it_does_not_have(self, demo):
        with pytest.raises(UpstreamError, match="Not Found") as caught:
            await demo.provider.embed({"input": "Hi"}, demo.call())
        assert caught.value.status == 404

    @pytest.mark.parametrize(
        "wrong, said",
        [
            ({"max_tokens": -4}, "`max_new_tokens` must be greater than 0, but is -4."),
            ({"logit_bias": {"5": 'a"b'}}, "`sequence_bias` has to be a dict with floats"),  # which it does not escape
        ],
    )
    async def test_one_that_comes_inside_a_stream_is_told_in_its_words(self, demo, wrong, said):
        frames = (await demo.chat("Hi", stream=True, **wrong)).frames()
        assert b'"role":"assistant"' in await anext(frames)
        with pytest.raises(UpstreamError) as caught:
            await anext(frames)
        assert said in caught.value.message

    async def test_whole_numbers_for_tokens_are_refused_with_what_to_write(self, demo):
        with pytest.raises(UpstreamError, match=r"dict with floats as values, but is \{\(5,\): 1\}") as caught:
            await (await demo.chat("Hi", stream=True, logit_bias={"5": 1})).completion()
        assert "-100.0" in (caught.value.hint or "")


async def gone(server) -> None:
    """Wait until the server holds no connection any more."""
    process = psutil.Process(server.process.pid)
    end = time.monotonic() + BOUND
    while any(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp")):
        assert time.monotonic() < end, "the server still has a connection"
        await asyncio.sleep(0.02)


async def test_a_client_that_goes_away_ends_its_stream(demo, server):
    reply = await demo.chat("What is LlamaFarm?", stream=True, **ENDLESS)
    frames = reply.frames()
    await anext(frames)
    await reply.aclose()
    await demo.provider.aclose()
    await gone(server)
    async with Client(server.base_url, MODEL) as other:
        assert await other.said("What is LlamaFarm?", max_tokens=2) == "LlamaFarm runs"


async def test_the_server_is_killed_in_the_middle_of_a_stream(demo, server):
    """The last test of this server: a user of our API sees the beginning, and an error in the place of the end."""
    body = {"messages": [{"role": "user", "content": "What is LlamaFarm?"}], "stream": True, **ENDLESS}
    async with in_front(demo.entry) as api, api.stream("POST", "/chat/completions", json=body) as answer:
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith("data: {")
        server.kill()
        *_, last = chunks_of("\n".join([line async for line in lines]))
    assert "broke off (" in json.loads(last)["error"]["message"]
