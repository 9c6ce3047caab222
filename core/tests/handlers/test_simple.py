"""Prompts and history come before the request's own messages; the session keeps what has been said to its end."""

from __future__ import annotations

import pytest
from llamafarm.errors import UpstreamError
from llamafarm.handlers.base import Turn
from llamafarm.handlers.simple import SimpleHandler
from llamafarm.project import Project
from llamafarm.providers.base import Call
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire import sse
from llamafarm_kit.testing.scripted import ScriptedReply

pytestmark = pytest.mark.anyio

HOUSE = ("house", [{"role": "system", "content": "Be kind."}])
STYLE = ("style", [{"role": "system", "content": "Be brief."}])
ASKED = {"role": "user", "content": "Hi"}


class Notebook:
    """A session in memory."""

    id = "notebook"

    def __init__(self, *messages):
        self.messages = list(messages)

    async def history(self):
        return list(self.messages)

    async def append(self, messages):
        self.messages += messages


class Model:
    """The end of the chain: keeps what it was asked, and gives the reply."""

    def __init__(self, reply):
        self.reply = reply
        self.asked = []

    async def __call__(self, turn):
        self.asked.append(turn.request["messages"])
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def turn(session=None, *, sets=(HOUSE, STYLE), named=(), messages=(ASKED,)) -> Turn:
    entry = ModelEntry(name="m", provider="p", model="x", prompts=list(named))
    project = Project("shop", "default", None, (entry,), prompts=dict(sets))
    return Turn(project, entry, {"messages": list(messages)}, Call(entry, "r1"), session)


async def read(reply) -> bytes:
    return b"".join([frame async for frame in reply.frames()])


async def test_an_entry_that_names_no_prompt_sets_gets_all_of_them_in_order():
    model = Model(ScriptedReply("Hello."))
    await SimpleHandler().run(turn(), model)
    assert model.asked == [[{"role": "system", "content": "Be kind.\n\nBe brief."}, ASKED]]


async def test_an_entry_that_names_prompt_sets_gets_those_in_its_own_order():
    model = Model(ScriptedReply("Hello."))
    await SimpleHandler().run(turn(named=["style", "house"]), model)
    assert model.asked == [[{"role": "system", "content": "Be brief.\n\nBe kind."}, ASKED]]


async def test_system_texts_of_prompts_and_request_become_one_message_because_many_templates_take_one():
    model = Model(ScriptedReply("Hello."))
    own = {"role": "system", "content": "Speak French."}
    await SimpleHandler().run(turn(sets=[HOUSE], messages=[own, ASKED]), model)
    assert model.asked == [[{"role": "system", "content": "Be kind.\n\nSpeak French."}, ASKED]]


async def test_system_messages_of_a_request_are_left_alone_where_there_are_no_prompts():
    model = Model(ScriptedReply("Hello."))
    own = [{"role": "system", "content": "One."}, {"role": "system", "content": "Two."}]
    await SimpleHandler().run(turn(sets=[], messages=[*own, ASKED]), model)
    assert model.asked == [[*own, ASKED]]


async def test_without_a_session_the_reply_is_the_very_object_that_the_model_gave():
    reply = ScriptedReply("Hello.")
    assert await SimpleHandler().run(turn(), Model(reply)) is reply


async def test_history_stands_between_the_prompts_and_the_new_messages():
    before = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    model = Model(ScriptedReply("Hello."))
    await SimpleHandler().run(turn(Notebook(*before), sets=[HOUSE]), model)
    assert model.asked == [[*HOUSE[1], *before, ASKED]]


async def test_a_whole_answer_is_kept_without_the_prompts():
    session = Notebook()
    reply = await SimpleHandler().run(turn(session), Model(ScriptedReply("Hello there.")))
    answer = await reply.completion()
    assert answer["choices"][0]["message"]["content"] == "Hello there."
    assert session.messages == [ASKED, {"role": "assistant", "content": "Hello there."}]


async def test_a_streamed_answer_is_passed_on_byte_for_byte_and_kept():
    session = Notebook()
    reply = await SimpleHandler().run(turn(session), Model(ScriptedReply("Hello there.")))
    assert await read(reply) == await read(ScriptedReply("Hello there."))
    assert session.messages == [ASKED, {"role": "assistant", "content": "Hello there."}]


async def test_a_streamed_answer_is_kept_before_its_end_is_passed_on():
    session = Notebook()
    reply = await SimpleHandler().run(turn(session), Model(ScriptedReply("Hello there.")))
    async for frame in reply.frames():
        assert (frame == sse.DONE) == bool(session.messages)


async def test_an_answer_read_as_chunks_is_kept():
    session = Notebook()
    reply = await SimpleHandler().run(turn(session), Model(ScriptedReply("Hello there.")))
    assert [chunk async for chunk in reply.chunks()]
    assert session.messages[1] == {"role": "assistant", "content": "Hello there."}


async def test_tool_calls_that_came_in_pieces_are_kept_whole():
    def chunk(delta, finish=None):
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"ci'}}
    rest = {"index": 0, "function": {"arguments": 'ty": "Bern"}'}}
    chunks = [
        chunk({"role": "assistant", "content": None, "tool_calls": [first]}),
        chunk({"tool_calls": [rest]}),
        chunk({}, "tool_calls"),
    ]
    session = Notebook()
    reply = await SimpleHandler().run(turn(session), Model(ScriptedReply(chunks=chunks)))
    await read(reply)
    function = {"name": "weather", "arguments": '{"city": "Bern"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    assert session.messages[1] == {"role": "assistant", "content": None, "tool_calls": calls}


async def test_reasoning_is_not_kept():
    delta = {"role": "assistant", "content": "4", "reasoning": "2 + 2"}
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}]
    session = Notebook()
    await read(await SimpleHandler().run(turn(session), Model(ScriptedReply(chunks=chunks))))
    assert session.messages[1] == {"role": "assistant", "content": "4"}


async def test_of_several_choices_the_first_is_kept():
    def chunk(index, text):
        delta = {"role": "assistant", "content": text}
        return {"choices": [{"index": index, "delta": delta, "finish_reason": "stop"}]}

    session = Notebook()
    reply = ScriptedReply(chunks=[chunk(1, "second"), chunk(0, "first")])
    await read(await SimpleHandler().run(turn(session), Model(reply)))
    assert session.messages[1]["content"] == "first"


async def test_an_answer_that_breaks_off_keeps_nothing():
    session = Notebook()
    model = Model(ScriptedReply("Hello there.", error=UpstreamError("gone")))
    reply = await SimpleHandler().run(turn(session), model)
    with pytest.raises(UpstreamError):
        await read(reply)
    assert session.messages == []


async def test_an_answer_that_the_client_cancels_keeps_nothing():
    session = Notebook()
    inner = ScriptedReply("Hello there, how are you?")
    reply = await SimpleHandler().run(turn(session), Model(inner))
    frames = reply.frames()
    await anext(frames)
    await frames.aclose()
    await reply.aclose()
    assert inner.closed
    assert session.messages == []


async def test_an_error_inside_the_stream_keeps_nothing():
    session = Notebook()
    reply = ScriptedReply(chunks=[{"error": {"message": "out of memory"}}])
    await read(await SimpleHandler().run(turn(session), Model(reply)))
    assert session.messages == []


async def test_a_refusal_keeps_nothing():
    session = Notebook()
    with pytest.raises(UpstreamError):
        await SimpleHandler().run(turn(session), Model(UpstreamError("no")))
    assert session.messages == []


async def test_calls_of_tools_and_their_results_are_kept_so_that_the_next_turn_is_complete():
    """A handler behind `simple` answers the model's call itself: the client sees the last answer alone."""
    call = {"id": "c1", "type": "function", "function": {"name": "time", "arguments": "{}"}}
    steps = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    notebook, model = Notebook(), Model(ScriptedReply("It is noon."))

    async def with_tools(turn):
        turn.keep(*steps)
        return await model(turn.with_messages([*turn.request["messages"], *steps]))

    for _ in range(2):
        await read(await SimpleHandler().run(turn(notebook, sets=()), with_tools))

    one_turn = [ASKED, *steps, {"role": "assistant", "content": "It is noon."}]
    assert notebook.messages == [*one_turn, *one_turn]
    assert model.asked[1] == [*one_turn, ASKED, *steps]


async def test_calls_of_tools_that_the_client_answers_are_kept_with_the_results_that_it_sends():
    call = {"id": "c1", "type": "function", "function": {"name": "time", "arguments": "{}"}}
    notebook = Notebook()
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "noon"}
    delta = {"role": "assistant", "tool_calls": [{**call, "index": 0}]}
    chunk = {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]}
    first, second = Model(ScriptedReply(chunks=[chunk])), Model(ScriptedReply("It is noon."))

    await read(await SimpleHandler().run(turn(notebook, sets=()), first))
    await read(await SimpleHandler().run(turn(notebook, sets=(), messages=[result]), second))

    assert notebook.messages == [ASKED, called, result, {"role": "assistant", "content": "It is noon."}]
