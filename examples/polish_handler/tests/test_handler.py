"""What the handler says to the model, and what its reader gets."""

from __future__ import annotations

from typing import Any

import llamafarm
import pytest
from llamafarm.errors import RequestError
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply
from llamafarm_polish_handler.options import Polish, PolishOptions
from llamafarm_polish_handler.plugin import build
from pydantic import ValidationError

pytestmark = pytest.mark.anyio

ENTRY = llamafarm.ModelEntry(name="cow", provider="scripted", model="cow")
QUESTION = {"role": "user", "content": "What does a cow say?"}
CALLS_A_TOOL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "moo", "arguments": "{}"}}],
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answered(model: ScriptedProvider, polish: dict | None, *, options: Any = None, **request: Any) -> Any:
    """The reply to one question."""
    handler = build(PolishOptions(**(options or {})))
    fields = {} if polish is None else {"polish": Polish(**polish)}
    turn = llamafarm.Turn(None, ENTRY, {"messages": [QUESTION], **request}, llamafarm.Call(ENTRY, "r"), fields=fields)

    async def ask(turn: llamafarm.Turn) -> llamafarm.Reply:
        return await model.chat(turn.request, turn.call)

    return await handler.run(turn, ask)


async def text(reply: llamafarm.Reply) -> str:
    return (await reply.completion())["choices"][0]["message"]["content"]


async def test_a_request_that_asks_for_no_polish_gets_the_models_own_reply():
    model = ScriptedProvider("Moo.")
    assert await answered(model, None) is model.replies[0]
    assert model.requests == [{"messages": [QUESTION]}]


async def test_the_model_is_shown_its_draft_and_asked_for_a_better_one():
    model = ScriptedProvider("Moo.", "It says: moo.")
    assert await text(await answered(model, {"style": "formal"})) == "It says: moo."
    draft, better = model.requests
    assert draft["messages"] == [QUESTION]
    question, shown, wish = better["messages"]
    assert (question, shown) == (QUESTION, {"role": "assistant", "content": "Moo."})
    assert (wish["role"], "in this style: formal." in wish["content"]) == ("user", True)


async def test_each_round_starts_from_the_last_version():
    model = ScriptedProvider("One.", "Two.", "Three.")
    assert await text(await answered(model, {"rounds": 2})) == "Three."
    assert [len(request["messages"]) for request in model.requests] == [1, 3, 3]
    assert model.requests[2]["messages"][1]["content"] == "Two."


async def test_what_a_request_leaves_out_is_the_projects_default():
    model = ScriptedProvider("Moo.")
    await answered(model, {}, options={"style": "like a pirate", "rounds": 3})
    assert len(model.requests) == 4
    assert "like a pirate" in model.requests[-1]["messages"][-1]["content"]


async def test_only_the_last_version_is_streamed_and_its_bytes_are_the_models_own():
    frames = [b'data:{"odd" :1, "choices":[]}\r\n\r\n', b"data: [DONE]\n\n"]
    model = ScriptedProvider(ScriptedReply("Moo."), ScriptedReply(frames=frames))
    reply = await answered(model, {}, stream=True, stream_options={"include_usage": True})
    assert [frame async for frame in reply.frames()] == frames
    draft, last = model.requests
    assert not {"stream", "stream_options"} & draft.keys()
    assert last["stream"] is True


async def test_drafts_are_closed_as_soon_as_they_are_read():
    model = ScriptedProvider("Moo.")
    reply = await answered(model, {"rounds": 2})
    assert [one.closed for one in model.replies] == [True, True, False]
    assert reply is model.replies[-1]


async def test_a_tool_call_is_no_draft_and_is_passed_on():
    chunk = {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": CALLS_A_TOOL, "finish_reason": "tool_calls"}],
    }
    model = ScriptedProvider(ScriptedReply(chunks=[chunk]))
    reply = await answered(model, {}, stream=True)
    chunks = [chunk async for chunk in reply.chunks()]
    assert chunks[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "moo"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert [one.closed for one in model.replies] == [True]


async def test_more_rounds_than_the_project_allows_are_refused_before_anything_is_asked():
    model = ScriptedProvider("Moo.")
    with pytest.raises(RequestError, match="asks for 9 rounds; this project allows 3") as caught:
        await answered(model, {"rounds": 9})
    assert (caught.value.status, caught.value.param, model.requests) == (400, "polish", [])
    assert "`max_rounds`" in (caught.value.hint or "")


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="`rounds` is 5, more than `max_rounds`, which is 3"):
        PolishOptions(rounds=5)
