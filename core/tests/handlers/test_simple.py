"""Prompts and history come before the request's own messages; the session keeps what has been said to its end."""

from __future__ import annotations

import pytest
from llamafarm.errors import RequestError, UpstreamError
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


def turn(session=None, *, sets=(HOUSE, STYLE), named=(), messages=(ASKED,), of_project=(), fields=(), **own) -> Turn:
    entry = ModelEntry(name="m", provider="p", model="x", prompts=list(named), **own)
    project = Project("shop", "default", None, (entry,), prompts=dict(sets), variables=dict(of_project))
    return Turn(project, entry, {"messages": list(messages)}, Call(entry, "r1"), session, dict(fields))


async def asked(turn: Turn) -> list:
    """What the model is asked."""
    model = Model(ScriptedReply("Hello."))
    await SimpleHandler().run(turn, model)
    return model.asked[0]


def noted(turn: Turn) -> list:
    """The trace without times."""
    return [{name: fact for name, fact in row.items() if name != "seconds"} for row in turn.trace.rows]


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


# Variables


SHOP = ("shop", [{"role": "system", "content": "Serve {{name}} from {{ town | anywhere }}."}])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"of_project": {"name": "a", "town": "b"}}, "Serve a from b."),
        ({"of_project": {"name": "a", "town": "b"}, "variables": {"name": "c"}}, "Serve c from b."),
        ({"variables": {"name": "c"}, "fields": {"variables": {"name": "d", "town": 3}}}, "Serve d from 3."),
        ({"of_project": {"name": "a"}, "fields": {"variables": None}}, "Serve a from anywhere."),
    ],
)
async def test_variables_are_the_requests_else_the_entrys_else_the_projects_else_their_defaults(given, text):
    assert (await asked(turn(sets=[SHOP], **given)))[0] == {"role": "system", "content": text}


async def test_a_variable_that_nobody_gives_is_an_error_that_says_who_can():
    with pytest.raises(RequestError, match="The prompt set 'shop' needs the variable 'name'") as caught:
        await asked(turn(sets=[HOUSE, SHOP], fields={"variables": {"nam": "Ada"}}))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "missing_variable", "variables")
    assert "`lf chat --var name=…`" in (caught.value.hint or "")
    assert "{{name | …}}" in (caught.value.hint or "")


async def test_variables_of_prompt_sets_that_the_entry_does_not_name_are_nobodys_concern():
    assert len(await asked(turn(sets=[HOUSE, SHOP], named=["house"]))) == 2


async def test_what_clients_write_is_no_template():
    own = {"role": "system", "content": "{{name}}"}
    question = {"role": "user", "content": r"{{name}} \{{ {{other}}"}
    messages = await asked(turn(sets=[], messages=[own, question], variables={"name": "Ada"}))
    assert messages == [own, question]


async def test_a_variable_that_no_prompt_uses_is_a_note():
    """Clients send one set of variables to many models."""
    mine = turn(sets=[SHOP], fields={"variables": {"name": "Ada", "nmae": "Ada"}})
    await asked(mine)
    assert noted(mine) == [{"stage": "prompts", "unused_variables": ["nmae"]}]


# Whose system messages


OWN = {"role": "system", "content": "Speak French."}
DEVELOPER = {"role": "developer", "content": "Speak French."}
EXAMPLE = ("example", [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "Welcome!"}])


async def test_config_only_leaves_out_system_messages_of_requests_and_notes_it():
    mine = turn(sets=[HOUSE], messages=[OWN, ASKED, DEVELOPER], prompts_mode="config_only")
    assert await asked(mine) == [HOUSE[1][0], ASKED]
    assert noted(mine) == [{"stage": "prompts", "system_messages_left_out": 2}]


async def test_config_only_leaves_them_out_where_there_are_no_prompts_and_of_a_conversation_that_is_kept():
    mine = turn(Notebook(OWN, ASKED), sets=[], messages=[ASKED], prompts_mode="config_only")
    assert await asked(mine) == [ASKED, ASKED]


async def test_config_only_refuses_a_request_that_is_nothing_but_system_messages():
    with pytest.raises(RequestError, match="there is no other message") as caught:
        await asked(turn(sets=[HOUSE], messages=[OWN], prompts_mode="config_only"))
    assert caught.value.param == "messages"


@pytest.mark.parametrize("own", [OWN, DEVELOPER])
async def test_api_replace_puts_system_messages_of_a_request_in_the_place_of_the_configurations(own):
    """Its examples of a conversation stay, and variables of what is replaced need no value."""
    mine = turn(sets=[EXAMPLE, SHOP], messages=[own, ASKED], prompts_mode="api_replace")
    assert await asked(mine) == [EXAMPLE[1][1], own, ASKED]
    assert noted(mine) == [{"stage": "prompts", "system_messages_replaced": True}]


async def test_api_replace_changes_nothing_for_a_request_without_system_messages():
    mine = turn(sets=[HOUSE], prompts_mode="api_replace")
    assert await asked(mine) == [HOUSE[1][0], ASKED]
    assert noted(mine) == []
