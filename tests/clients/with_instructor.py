"""instructor: each of its modes for OpenAI's chats, whole and as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import instructor
from instructor import Mode
from openai import OpenAI
from pydantic import BaseModel, Field
from report import URL, call, report

CLIENT = OpenAI(base_url=URL, api_key="none", max_retries=0)
QUESTION: Any = {"messages": [{"role": "user", "content": "What is the weather in Rome?"}], "max_retries": 0}
HELD = {
    Mode.TOOLS: ("plain", "structured"),
    Mode.TOOLS_STRICT: ("plain", "structured"),
    Mode.JSON_SCHEMA: ("plain", "structured"),
    Mode.JSON: ("weather",),
    Mode.MD_JSON: ("weather",),
}


class Weather(BaseModel):
    city: Literal["Rome", "Paris"]
    celsius: int = Field(ge=-40, le=60)


class Weathers(BaseModel):
    days: list[Weather] = Field(min_length=1, max_length=2)


class GetWeather(BaseModel):
    """Get the current weather of a city."""

    city: Literal["Rome", "Paris"]


class GetTime(BaseModel):
    """Get the current time in a city."""

    city: Literal["Rome", "Paris"]


def define(mode: Mode, models: tuple[str, ...]) -> None:
    """The calls of a mode."""
    completions = instructor.from_openai(CLIENT, mode=mode).chat.completions

    @call(f"{mode.name} create", *models)
    def create(model: str) -> None:
        assert isinstance(completions.create(model=model, response_model=Weather, **QUESTION), Weather)

    @call(f"{mode.name} create_partial", *models)
    def create_partial(model: str) -> None:
        *_, last = completions.create_partial(model=model, response_model=Weather, **QUESTION)
        Weather.model_validate(last.model_dump())

    @call(f"{mode.name} create_with_completion", *models)
    def create_with_completion(model: str) -> None:
        weather, completion = completions.create_with_completion(model=model, response_model=Weather, **QUESTION)
        assert isinstance(weather, Weather)
        assert completion.usage.completion_tokens > 0

    if "weather" not in models:

        @call(f"{mode.name} a list", *models)
        def create_list(model: str) -> None:
            assert completions.create(model=model, response_model=Weathers, **QUESTION).days


for mode, models in HELD.items():
    define(mode, models)


@call("PARALLEL_TOOLS create", "plain", "structured")
def parallel(model: str) -> None:
    """The model chooses freely whether it calls: so this is asked without chance."""
    completions = instructor.from_openai(CLIENT, mode=Mode.PARALLEL_TOOLS).chat.completions
    kinds = Iterable[GetWeather | GetTime]
    calls = list(completions.create(model=model, response_model=kinds, temperature=0, **QUESTION))
    assert calls
    assert all(isinstance(each, GetWeather | GetTime) for each in calls)


report()
