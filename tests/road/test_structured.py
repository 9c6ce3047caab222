"""The agent handler `structured`: through `lf serve`, to the demonstration model, and back to OpenAI's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from commands import BOUND
from pydantic import BaseModel, Field

HANDLED = {"handler": "structured"}
BRIEF: dict[str, Any] = {"temperature": 0, "seed": 1, "max_tokens": 200}


class Weather(BaseModel):
    city: Literal["Rome", "Paris"]
    days: list[int] = Field(min_length=1, max_length=3)


ASKED = {"messages": [{"role": "user", "content": "What is the weather in Rome?"}], **BRIEF}
FORMAT = {"type": "json_schema", "json_schema": {"name": "weather", "schema": Weather.model_json_schema()}}


@pytest.fixture
def client(api: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


@pytest.mark.parametrize("how", [{"model": "demo", "extra_body": HANDLED}, {"model": "demo-with-tools"}], ids=str)
def test_a_model_of_pydantic_is_parsed_and_the_object_stands_beside_it(client: openai.OpenAI, how: Any) -> None:
    answer = client.chat.completions.parse(**ASKED, **how, response_format=Weather)
    parsed = answer.choices[0].message.parsed
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model_extra is not None
    assert Weather.model_validate(answer.model_extra["llamafarm"]["object"]) == parsed


@pytest.mark.parametrize("how", [{"model": "demo", "extra_body": HANDLED}, {"model": "demo-with-tools"}], ids=str)
def test_a_stream_says_the_same_once_and_ends_with_the_object(client: openai.OpenAI, how: Any) -> None:
    ask: Any = {**ASKED, **how, "response_format": FORMAT}
    whole = client.chat.completions.create(**ask).choices[0].message.content
    chunks = list(client.chat.completions.create(**ask, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole
    assert (chunks[-1].model_extra or {})["llamafarm"] == {"object": json.loads(text)}


def test_an_answer_that_is_cut_is_an_error_that_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="The answer was cut at its limit") as caught:
        client.chat.completions.create(
            **{**ASKED, "max_tokens": 3}, model="demo", response_format=FORMAT, extra_body=HANDLED
        )
    assert caught.value.code == "structured_output_invalid"
