"""The agent handler `tools`: a real MCP server, the demonstration model, `lf serve` and OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from commands import BOUND

ASKED = [{"role": "user", "content": "What is the weather in Rome?"}]
CALLED = "It is 21 degrees and sunny"


@pytest.fixture
def client(api: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api}/v1", api_key="none", max_retries=0, timeout=BOUND) as made:
        yield made


def test_a_tool_of_the_project_is_called_on_the_way_to_one_answer(client: openai.OpenAI) -> None:
    ask: dict[str, Any] = {"model": "weather", "messages": ASKED, "temperature": 0}
    whole = client.chat.completions.create(**ask)
    [choice] = whole.choices
    assert (choice.message.content or "").startswith(CALLED)
    assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
    assert whole.model_extra is not None
    [row] = whole.model_extra["llamafarm"]["tool_calls"]
    assert (row["name"], row["source"], row["ok"]) == ("get_weather", "weather", True)

    chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == choice.message.content
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    [usage] = [chunk.usage for chunk in chunks if chunk.usage]
    assert whole.usage is not None
    assert (usage.prompt_tokens, usage.total_tokens) == (whole.usage.prompt_tokens, whole.usage.total_tokens)
