"""LangChain: `with_structured_output` by its three methods, whole and as they come."""

from __future__ import annotations

from typing import Any, Literal

from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field
from report import URL, call, report

QUESTION = "What is the weather in Rome? Answer in JSON."


class Weather(BaseModel):
    """The weather of a city."""

    city: Literal["Rome", "Paris"]
    celsius: int = Field(ge=-40, le=60)


def chat(model: str) -> ChatOpenAI:
    return ChatOpenAI(base_url=URL, api_key="none", model=model, max_retries=0)


def define(method: Any, models: tuple[str, ...], **options: Any) -> None:
    """The calls of a method."""
    name = " ".join([method, *options])

    @call(f"{name} invoke", *models)
    def invoke(model: str) -> None:
        asked = chat(model).with_structured_output(Weather, method=method, **options)
        assert isinstance(asked.invoke(QUESTION), Weather)

    @call(f"{name} stream", *models)
    def stream(model: str) -> None:
        asked = chat(model).with_structured_output(Weather, method=method, **options)
        *_, last = asked.stream(QUESTION)
        assert isinstance(last, Weather)

    @call(f"{name} include_raw", *models)
    def include_raw(model: str) -> None:
        answer = (
            chat(model).with_structured_output(Weather, method=method, include_raw=True, **options).invoke(QUESTION)
        )
        assert isinstance(answer["parsed"], Weather), answer["parsing_error"]
        assert answer["raw"].usage_metadata["output_tokens"] > 0

    @call(f"{name} a dictionary", *models)
    def dictionary(model: str) -> None:
        schema = Weather.model_json_schema()
        Weather.model_validate(chat(model).with_structured_output(schema, method=method, **options).invoke(QUESTION))


define("function_calling", ("plain", "structured"))
define("function_calling", ("plain", "structured"), strict=True)
define("json_schema", ("plain", "structured"))
define("json_schema", ("plain", "structured"), strict=True)
define("json_mode", ("weather",))
report()
