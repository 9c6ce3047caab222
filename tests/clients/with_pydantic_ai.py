"""pydantic-ai: output by a tool, by the model's own format and by the prompt, whole and as they come."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from report import URL, call, report

QUESTION = "What is the weather in Rome?"


class Weather(BaseModel):
    """The weather of a city."""

    city: Literal["Rome", "Paris"]
    celsius: int = Field(ge=-40, le=60)


class Unknown(BaseModel):
    """Nothing is known of the city."""

    reason: Literal["no such city", "no such day"]


def agent(model: str, output: Any) -> Agent[None, Any]:
    provider = OpenAIProvider(base_url=URL, api_key="none")
    return Agent(OpenAIChatModel(model, provider=provider), output_type=output, retries=0)


async def streamed(model: str, output: Any) -> Any:
    async with agent(model, output).run_stream(QUESTION) as answer:
        return [weather async for weather in answer.stream_output()][-1]


def define(name: str, output: Any, *models: str) -> None:
    """The calls of a kind of output."""

    @call(f"{name} run", *models)
    def run(model: str) -> None:
        answer = agent(model, output).run_sync(QUESTION)
        assert isinstance(answer.output, Weather | Unknown)
        assert answer.usage.output_tokens > 0

    @call(f"{name} run_stream", *models)
    def run_stream(model: str) -> None:
        assert isinstance(asyncio.run(streamed(model, output)), Weather | Unknown)


define("ToolOutput", ToolOutput(Weather), "plain", "structured")
define("ToolOutput strict", ToolOutput(Weather, strict=True), "plain", "structured")
define("ToolOutput of two classes", [Weather, Unknown], "plain", "structured")
define("NativeOutput", NativeOutput(Weather), "plain", "structured")
define("NativeOutput strict", NativeOutput(Weather, strict=True), "plain", "structured")
define("NativeOutput of two classes", NativeOutput([Weather, Unknown]), "plain", "structured")
define("PromptedOutput", PromptedOutput(Weather), "weather")
report()
