"""What comes back, byte for byte as a real Ollama 0.33.0-rc2 said it."""

from __future__ import annotations

import json

import pytest
from llamafarm import (
    AuthenticationFailed,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    ProviderUnavailable,
    UpstreamError,
)
from ollama_asking import LAMP, asking, recorded

pytestmark = pytest.mark.anyio
TEXT = "Hello! I am a tiny test model."


def texts(chunks):
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def finish(chunks):
    [reason] = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]]
    return reason


async def test_a_whole_chat():
    async with asking(recorded("chat")) as ollama:
        answer = await ollama.chat()
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": TEXT}
        assert answer["choices"][0]["finish_reason"] == "stop"
        assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19}
        assert answer["ollama"]["load_duration"] == 5154163


async def test_a_streamed_chat():
    async with asking(recorded("chat-stream")) as ollama:
        chunks = await ollama.chunks(stream_options={"include_usage": True})
        assert (texts(chunks), finish(chunks)) == (TEXT, "stop")
        assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "Hello"}
        assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 19)
        assert len({chunk["id"] for chunk in chunks}) == 1


@pytest.mark.parametrize("name", ["think-true", "think-true-stream"])
async def test_what_a_model_thinks_is_reasoning(name):
    async with asking(recorded(name)) as ollama:
        chunks = await ollama.chunks(reasoning_effort="low")
        thought = "".join(chunk["choices"][0]["delta"].get("reasoning", "") for chunk in chunks)
        assert thought == "The user asks about the sky. Blue light scatters more.\n"
        assert texts(chunks) == "Because blue light scatters more than red light."


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        ("tools-one-call", 1, None),
        ("tools-one-call-stream", 1, None),
        ("rendered-tools-one-call", 1, None),
        ("tools-two-calls-stream", 2, None),
        ("rendered-tools-two-calls-stream", 2, None),
        ("tools-text-then-call", 1, "I will switch it on.\n"),
        ("tools-text-then-call-stream", 1, "I will switch it on.\n"),
        ("rendered-tools-text-then-call-stream", 1, "I will switch it on.\n"),
    ],
)
async def test_tool_calls_come_whole_on_their_own_lines_or_on_the_last(name, count, text):
    async with asking(recorded(name)) as ollama:
        reply = await ollama.provider.chat(
            {"messages": [{"role": "user", "content": "On."}], "tools": [LAMP]}, ollama.call
        )
        [choice] = (await reply.completion())["choices"]
        calls = choice["message"]["tool_calls"]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", text)
        assert len({call["id"] for call in calls}) == len(calls) == count
        assert json.loads(calls[0]["function"]["arguments"]) == {"on": True, "which": "desk"}


@pytest.mark.parametrize("name", ["logprobs", "logprobs-stream"])
async def test_logprobs_of_each_token(name):
    async with asking(recorded(name)) as ollama:
        answer = await ollama.chat(logprobs=True, top_logprobs=2)
        tokens = answer["choices"][0]["logprobs"]["content"]
        assert "".join(token["token"] for token in tokens) == TEXT
        assert [top["token"] for top in tokens[0]["top_logprobs"]] == ["Hello", "The"]


@pytest.mark.parametrize("name", ["num-predict", "num-predict-stream"])
async def test_an_answer_that_was_cut_at_the_limit(name):
    async with asking(recorded(name)) as ollama:
        answer = await ollama.chat(max_tokens=3)
        assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("name", ["generate-raw", "generate-stream"])
async def test_a_completion(name):
    async with asking(recorded(name)) as ollama:
        answer = await ollama.complete(prompt="Hello")
        assert (answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]) == (TEXT, "stop")
        assert answer["usage"]["completion_tokens"] == 10


@pytest.mark.parametrize("name", ["rendered-format-json-think-false", "rendered-format-json-think-false-stream"])
async def test_an_answer_that_never_says_done_is_not_complete(name):
    """Ollama gives up after thirty equal tokens and says nothing of it, streamed or not."""
    async with asking(recorded(name)) as ollama:
        with pytest.raises(UpstreamError, match="not complete"):
            await ollama.chat(response_format={"type": "json_object"})


async def test_a_model_that_dies_in_the_middle_is_an_error_after_what_was_said():
    async with asking(recorded("runner-killed-mid-stream")) as ollama:
        reply = await ollama.provider.chat(
            {"messages": [{"role": "user", "content": "?"}], "stream": True}, ollama.call
        )
        seen = []
        with pytest.raises(UpstreamError, match="an error was encountered while running the model: unexpected EOF"):
            async for chunk in reply.chunks():
                seen.append(chunk)  # noqa: PERF401 - what came before the error counts
        assert len(seen) == 54


MEANING = [
    ("chat-missing-model", 404, ModelNotFound, None, "lf models pull local"),
    ("chat-missing-model-stream", 404, ModelNotFound, None, "lf models pull local"),
    ("too-long-truncate-false", 400, ContextLengthExceeded, None, "request (410 tokens) exceeds the available context"),
    ("too-long-truncate-false-stream", 400, ContextLengthExceeded, None, "num_ctx"),
    ("tools-on-plain-model", 400, InvalidRequest, "tools", "does not support tools"),
    ("think-true-on-plain-model", 400, InvalidRequest, "reasoning_effort", "does not support thinking"),
    ("think-bad-level", 400, InvalidRequest, "think", "invalid think value"),
    ("chat-on-embedder", 400, InvalidRequest, "model", "does not support chat"),
    ("images-on-text-model", 400, InvalidRequest, "messages", "image input is not supported"),
    ("images-bad-base64", 400, InvalidRequest, "messages", "illegal base64"),
    ("format-invalid-schema", 400, InvalidRequest, "response_format", "unrecognized type nonsense"),
    ("option-wrong-type", 400, InvalidRequest, "options", "must be of type integer"),
    ("keep-alive-bad", 400, InvalidRequest, "keep_alive", "invalid duration"),
    ("generate-suffix", 400, InvalidRequest, "suffix", "does not support insert"),
    ("queue-full", 503, ProviderUnavailable, None, "server busy, please try again."),
    ("runner-killed-not-streamed", 500, UpstreamError, None, "unexpected EOF"),
    ("foreign-host-header", 403, AuthenticationFailed, None, "host name"),
    ("unknown-route", 404, UpstreamError, None, "404 page not found"),
    ("wrong-method", 405, InvalidRequest, None, "405 method not allowed"),
]


@pytest.mark.parametrize(("name", "status", "kind", "param", "words"), MEANING, ids=[row[0] for row in MEANING])
async def test_a_refusal_keeps_its_words_and_says_what_it_means(name, status, kind, param, words):
    async with asking(recorded(name)) as ollama:
        with pytest.raises(kind) as caught:
            await ollama.chat()
        error = caught.value
        assert (error.status, error.param) == (status, param)
        assert words in str(error)


async def test_embeddings():
    async with asking(recorded("embed-batch")) as ollama:
        answer = await ollama.embed(["the sky", "hello"])
        assert [len(row["embedding"]) for row in answer["data"]] == [64, 64]
        assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("embed-empty-string", UpstreamError, "0 embeddings for 1 texts"),
        ("embed-on-chat-model", InvalidRequest, "does not support embeddings"),
        ("embed-too-long", ContextLengthExceeded, "the input length exceeds the context length"),
        ("embed-missing-model", ModelNotFound, "lf models pull local"),
        ("embed-load-fails", UpstreamError, "llama-server process has terminated"),
    ],
)
async def test_embeddings_that_do_not_come(name, kind, words):
    async with asking(recorded(name)) as ollama:
        with pytest.raises(kind) as caught:
            await ollama.embed("the sky")
        assert words in str(caught.value)
