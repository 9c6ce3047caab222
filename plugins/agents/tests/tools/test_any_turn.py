"""Turns as they come: whatever a model says, whole and streamed answers are one, and each call has its result."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from llamafarm.errors import LlamaFarmError
from llamafarm_kit.testing import ScriptedProvider
from turns import DAISY, SEND, Barn, Case, calling, said

pytestmark = pytest.mark.anyio

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
ARGUMENTS = [DAISY, "{}", "[1]", "{broken", "", '{"cow": "B<|x|>"}']
TEXTS = [None, "", "I look. ", "Hm\n", "<tool", "{", "a```b"]
FIELDS: list[dict[str, Any]] = [
    {},
    {},
    {"tool_choice": "required"},
    {"parallel_tool_calls": False},
    {"tool_choice": "none"},
]


def step(rng: random.Random, *, in_prompt: bool) -> Any:
    """One answer of a model: a text, calls of tools, of the client's functions and of none that there is."""
    text, usage = rng.choice(TEXTS), rng.choice([None, USAGE])
    calls = [(rng.choice(["weigh", "weigh", "send", "nope"]), rng.choice(ARGUMENTS)) for _ in range(rng.randint(0, 3))]
    reason = rng.choice([*(["tool_calls" if calls and not in_prompt else "stop"] * 6), "length", "content_filter"])
    if not in_prompt:
        return calling(*calls, text=text, reason=reason, usage=usage)
    written = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls]
    whole = (text or "") + "".join(f"\n<tool_call>{call}</tool_call>" for call in written)
    size = rng.randint(1, 9)
    pieces = [{"content": whole[at : at + size]} for at in range(0, len(whole), size)]
    return said({"role": "assistant"}, *pieces, reason=reason, usage=usage)


async def outcome(seed: int, *, in_prompt: bool, stream: bool) -> Any:
    """What the client gets, without what is by chance."""
    rng = random.Random(seed)
    script = [step(rng, in_prompt=in_prompt) for _ in range(rng.randint(1, 4))]
    options = {"max_rounds": rng.randint(2, 5), "tool_call_strategy": "prompt_based" if in_prompt else "native_api"}
    case = Case(ScriptedProvider(*script, said({"content": "The end."})), {"barn": Barn()}, options)
    usage = {"stream_options": {"include_usage": True}}
    try:
        answer = await case.answer(tools=[SEND], stream=stream, **usage, **rng.choice(FIELDS))
    except LlamaFarmError as error:
        return error.message
    finally:
        assert all(reply.closed for reply in case.model.replies)
        for request in case.model.requests:
            check(request["messages"])
    [choice] = answer["choices"]
    calls = [call["function"] for call in choice["message"].get("tool_calls") or ()]
    made = [(row["name"], row["ok"]) for row in answer.get("llamafarm", {"tool_calls": []})["tool_calls"]]
    return choice["message"]["content"] or "", calls, choice["finish_reason"], made, answer.get("usage")


def check(messages: list[Any]) -> None:
    """Each call is followed by its result, in its order, as every runtime wants it."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert waiting.pop(0) == message["tool_call_id"]
        else:
            assert waiting == []
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
    assert waiting == []


@pytest.mark.parametrize("in_prompt", [False, True], ids=["by the API", "in the prompt"])
async def test_whole_and_streamed_answers_are_one(in_prompt):
    for seed in range(150):
        whole, streamed = [await outcome(seed, in_prompt=in_prompt, stream=stream) for stream in (False, True)]
        assert whole == streamed, f"seed {seed}"
