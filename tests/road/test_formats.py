"""Answers that are held to a format and calls of tools: through `lf serve`, to the demonstration model, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from commands import BOUND
from jsonschema import Draft202012Validator

ASKED = [{"role": "user", "content": "What is the weather in Rome?"}]
CITY = {
    "type": "object",
    "properties": {
        "name": {"enum": ["Rome", "Paris"]},
        "days": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 7},
            "minItems": 1,
            "maxItems": 3,
        },
        "rain": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "required": ["name", "days", "rain"],
    "additionalProperties": False,
}
FORMATS: dict[str, Any] = {
    "json_schema": {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY}},
    "json_object": {"type": "json_object"},
}
PARAMETERS = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]}
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "get_time", "parameters": NO_PARAMETERS}},
]
BOTH = {"get_weather", "get_time"}
NAMED = {"type": "function", "function": {"name": "get_time"}}
BRIEF = {"temperature": 0, "seed": 1, "max_tokens": 200}


@pytest.fixture
def client(api: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


class Streamed:
    """A streamed answer, put together by hand. deltas: of its only choice."""

    def __init__(self, stream: Any) -> None:
        chunks = [chunk.choices[0] for chunk in stream if chunk.choices]
        self.deltas = [chunk.delta for chunk in chunks]
        self.reason = chunks[-1].finish_reason
        self.content = "".join(delta.content or "" for delta in self.deltas)
        self.calls: list[list[str]] = []
        for call in (call for delta in self.deltas for call in delta.tool_calls or ()):
            if call.index == len(self.calls):
                assert call.id
                self.calls.append([call.function.name, ""])
            self.calls[call.index][1] += call.function.arguments or ""


@pytest.mark.parametrize("kind", FORMATS)
def test_an_answer_is_json_of_its_schema_streamed_or_not(client: openai.OpenAI, kind: str) -> None:
    ask: dict[str, Any] = {"model": "demo", "messages": ASKED, "response_format": FORMATS[kind], **BRIEF}
    whole = client.chat.completions.create(**ask).choices[0]
    streamed = Streamed(client.chat.completions.create(**ask, stream=True))
    assert streamed.content == whole.message.content
    assert streamed.reason == whole.finish_reason
    if kind == "json_schema":  # it bounds its answers: each comes to its end
        assert whole.finish_reason == "stop"
    if whole.finish_reason == "stop":
        schema = CITY if kind == "json_schema" else {"type": "object"}
        Draft202012Validator(schema).validate(json.loads(streamed.content))


@pytest.mark.parametrize(("choice", "names"), [
    ("none", set()), ("auto", BOTH), ("required", BOTH), (NAMED, {"get_time"}),
])  # fmt: skip
def test_tools_are_called_as_the_choice_has_it(client: openai.OpenAI, choice: Any, names: set[str]) -> None:
    ask: dict[str, Any] = {"model": "demo", "messages": ASKED, "tools": TOOLS, "tool_choice": choice, **BRIEF}
    whole = client.chat.completions.create(**ask).choices[0]
    streamed = Streamed(client.chat.completions.create(**ask, stream=True))
    calls = [[call.function.name, call.function.arguments] for call in whole.message.tool_calls or ()]
    assert (streamed.calls, streamed.content, streamed.reason) == (
        calls,
        whole.message.content or "",
        whole.finish_reason,
    )
    assert {name for name, _ in calls} <= names
    assert bool(calls) == (whole.finish_reason == "tool_calls") == (choice != "none")
    for name, arguments in calls:
        Draft202012Validator(PARAMETERS if name == "get_weather" else NO_PARAMETERS).validate(json.loads(arguments))
    if calls and not streamed.content:
        assert streamed.deltas[0].role == "assistant"
        assert all(delta.content is None for delta in streamed.deltas)


def test_the_arguments_of_a_call_come_in_pieces(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="demo", messages=ASKED, tools=TOOLS[:1], tool_choice="required", stream=True, max_tokens=100
    )
    pieces = [call.function.arguments for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
    assert len(pieces) > 2
    assert json.loads("".join(pieces))["city"] in ("Rome", "Paris")


def test_a_schema_that_cannot_be_kept_to_is_a_400_that_names_its_place(client: openai.OpenAI) -> None:
    wrong = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {"not": {"type": "string"}}}}
    for stream in (True, False):
        with pytest.raises(openai.BadRequestError, match="#/not") as refused:
            client.chat.completions.create(model="demo", messages=ASKED, response_format=wrong, stream=stream)  # type: ignore[call-overload]
        assert refused.value.param == "response_format.json_schema.schema"
