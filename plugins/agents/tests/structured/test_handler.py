"""What the model is asked, and what the reader gets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import llamafarm
import pytest
from llamafarm.errors import InvalidRequest, ProviderUnavailable, RequestError, UpstreamError
from llamafarm.handlers.base import TurnModel
from llamafarm_agents.structured.options import StructuredOptions
from llamafarm_agents.structured.plugin import build
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply

pytestmark = pytest.mark.anyio

QUESTION = {"role": "user", "content": "Who wrote the first program?"}
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
PEOPLE = {"type": "array", "items": {"$ref": "#/$defs/Person"}, "$defs": {"Person": {**PERSON, "title": "Person"}}}
ADA, NOBODY = '{"name": "Ada"}', '{"name": null}'
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Known(TurnModel):
    def __init__(self, **facts: Any) -> None:
        super().__init__("cow")
        self.facts = facts

    async def info(self):
        return llamafarm.ModelInfo("cow", **self.facts)


class Unreachable(TurnModel):
    async def info(self):
        raise ProviderUnavailable("it is not there")


@dataclass
class Case:
    """A turn. mode: of the entry. known: what is known of the model."""

    model: ScriptedProvider
    mode: str | None = None
    known: TurnModel = field(default_factory=TurnModel)
    options: dict[str, Any] = field(default_factory=dict)
    trace: list[dict[str, Any]] = field(default_factory=list)

    async def reply(self, wanted: Any = FORMAT, **request: Any) -> llamafarm.Reply:
        entry = llamafarm.ModelEntry(name="cow", provider="scripted", model="cow", instructor_mode=self.mode)
        asked = {"messages": [QUESTION], "response_format": wanted, **request}
        turn = llamafarm.Turn(None, entry, asked, llamafarm.Call(entry, "r"), model=self.known)
        self.trace = turn.trace.rows

        async def ask(turn: llamafarm.Turn) -> llamafarm.Reply:
            return await self.model.chat(turn.request, turn.call)

        handler = build(StructuredOptions(**self.options))
        await handler.start()
        return await handler.run(turn, ask)

    async def answer(self, wanted: Any = FORMAT, **request: Any) -> Any:
        return await (await self.reply(wanted, **request)).completion()


def calls(*arguments: str, name: str = "person", usage: dict[str, Any] | None = None) -> ScriptedReply:
    """An answer that calls functions."""
    tools = [
        {"index": at, "id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": each}}
        for at, each in enumerate(arguments)
    ]
    return said({"role": "assistant", "content": None, "tool_calls": tools}, "tool_calls", usage)


def said(delta: dict[str, Any], reason: str = "stop", usage: dict[str, Any] | None = None) -> ScriptedReply:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "cow"}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    chunks = [{**head, "choices": [choice]}, {**head, "choices": [{**choice, "delta": {}, "finish_reason": reason}]}]
    return ScriptedReply(chunks=[*chunks, *([{**head, "choices": [], "usage": usage}] if usage else [])])


def text_of(answer: Any) -> str:
    return answer["choices"][0]["message"]["content"]


HELD = Known(structured="json_schema")


async def test_a_turn_without_a_schema_gets_the_models_own_reply():
    model = ScriptedProvider("Moo.")
    assert await Case(model).reply(None) is model.replies[0]
    assert await Case(model).reply({"type": "text"}) is model.replies[1]


async def test_the_object_stands_beside_its_text():
    answer = await Case(ScriptedProvider(ADA), known=HELD).answer()
    assert text_of(answer) == ADA
    assert answer["llamafarm"] == {"object": {"name": "Ada"}}


@pytest.mark.parametrize(
    ("mode", "known", "sent"),
    [
        ("json_schema", TurnModel(), {"response_format": FORMAT}),
        (None, HELD, {"response_format": FORMAT}),
        ("json", TurnModel(), {"response_format": {"type": "json_object"}}),
        ("md_json", HELD, {}),
        (None, TurnModel(), {}),
        (None, Unreachable(), {}),
    ],
)
async def test_each_mode_asks_in_its_own_way(mode, known, sent):
    model = ScriptedProvider(ADA)
    assert text_of(await Case(model, mode, known).answer()) == ADA
    [request] = model.requests
    assert {name: value for name, value in request.items() if name != "messages"} == sent
    in_prompt = json.dumps(PERSON) in str(request["messages"][0]["content"])
    assert in_prompt == (sent.get("response_format") != FORMAT)


@pytest.mark.parametrize(
    ("mode", "known", "strict"),
    [
        ("tools", TurnModel(), {}),
        ("tools_strict", TurnModel(), {"strict": True}),
        (None, Known(features=frozenset({"chat", "tools"})), {}),
        (None, Known(structured="tools"), {}),
    ],
)
async def test_tools_are_a_function_that_must_be_called(mode, known, strict):
    model = ScriptedProvider(lambda _: calls(ADA))
    answer = await Case(model, mode, known).answer()
    [request] = model.requests
    assert request["tools"] == [{"type": "function", "function": {"name": "person", "parameters": PERSON, **strict}}]
    assert request["tool_choice"] == {"type": "function", "function": {"name": "person"}}
    assert "response_format" not in request
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": ADA}
    assert choice["finish_reason"] == "stop"


async def test_a_list_stands_in_an_object_where_it_is_an_argument():
    model = ScriptedProvider(lambda _: calls('{"value": [{"name": "Ada"}]}', name="people"))
    wanted = {"type": "json_schema", "json_schema": {"name": "people", "schema": PEOPLE}}
    answer = await Case(model, "tools").answer(wanted)
    assert answer["llamafarm"]["object"] == [{"name": "Ada"}] == json.loads(text_of(answer))
    parameters = model.requests[0]["tools"][0]["function"]["parameters"]
    assert parameters["properties"]["value"]["items"] == {"$ref": "#/$defs/Person"}
    assert parameters["$defs"] == PEOPLE["$defs"]


async def test_parallel_tools_are_a_function_for_each_kind_of_item():
    model = ScriptedProvider(lambda _: calls(ADA, '{"name": "Bob"}', name="Person"))
    wanted = {"type": "json_schema", "json_schema": {"name": "people", "schema": PEOPLE}}
    answer = await Case(model, "parallel_tools").answer(wanted)
    assert answer["llamafarm"]["object"] == [{"name": "Ada"}, {"name": "Bob"}]
    assert [tool["function"]["name"] for tool in model.requests[0]["tools"]] == ["Person"]
    assert model.requests[0]["tool_choice"] == "required"


async def test_parallel_tools_take_lists_alone():
    with pytest.raises(RequestError, match="takes the schema of a list"):
        await Case(ScriptedProvider(ADA), "parallel_tools").answer()


@pytest.mark.parametrize("text", [ADA, f"```json\n{ADA}\n```", f"Here it is:\n```\n{ADA}```\nFine?", f"It is {ADA}."])
async def test_what_a_model_says_around_its_json_is_left_out(text):
    assert text_of(await Case(ScriptedProvider(text), "md_json").answer()) == ADA


@pytest.mark.parametrize(
    ("mode", "role", "said_again"),
    [("json_schema", "user", NOBODY), ("json", "user", NOBODY), ("md_json", "user", NOBODY), ("tools", "tool", None)],
)
async def test_an_answer_that_does_not_fit_goes_back_with_what_is_wrong(mode, role, said_again):
    first, second = (calls(NOBODY), calls(ADA)) if mode == "tools" else (NOBODY, ADA)
    model = ScriptedProvider(first, second)
    case = Case(model, mode)
    assert text_of(await case.answer()) == ADA
    wrong, told = model.requests[1]["messages"][-2:]
    assert (wrong["role"], wrong["content"]) == ("assistant", said_again)
    assert told["role"] == role
    assert '$.name: null is not of type "string"' in told["content"]
    assert model.requests[1]["messages"][:-2] == model.requests[0]["messages"]
    assert [row["problems"] for row in case.trace if "problems" in row] == [['$.name: null is not of type "string"']]
    assert all(reply.closed for reply in model.replies)


async def test_each_call_of_an_answer_gets_its_result():
    """Servers refuse a conversation in which a call has none."""
    model = ScriptedProvider(calls(NOBODY, NOBODY), calls(ADA))
    await Case(model, "tools").answer()
    assert [message.get("tool_call_id") for message in model.requests[1]["messages"][-2:]] == ["call-0", "call-1"]


async def test_a_model_that_calls_nothing_is_asked_to_call():
    model = ScriptedProvider("I think it was Ada.", calls(ADA))
    assert text_of(await Case(model, "tools").answer()) == ADA
    assert "called no function" in model.requests[1]["messages"][-1]["content"]


async def test_the_error_tells_what_was_wrong_with_each_attempt():
    model = ScriptedProvider(NOBODY, "{}", "Ada")
    with pytest.raises(UpstreamError) as caught:
        await Case(model, "json", options={"max_retries": 2}).answer()
    error = caught.value
    assert len(model.requests) == 3
    assert "'cow' has not given what the schema 'person' wants, in 3 attempts" in error.message
    first, second, third = error.message.splitlines()[1:]
    assert first == 'Attempt 1: $.name: null is not of type "string"'
    assert second == 'Attempt 2: $: "name" is a required property'
    assert third.startswith("Attempt 3: $: this cannot be read as JSON")
    assert error.code == "structured_output_invalid"
    assert "max_retries" in error.hint


async def test_an_answer_that_was_cut_is_not_asked_for_again():
    model = ScriptedProvider(said({"role": "assistant", "content": '{"name": "A'}, "length"))
    with pytest.raises(UpstreamError) as caught:
        await Case(model, known=HELD).answer()
    assert len(model.requests) == 1
    assert "max_tokens" in caught.value.hint


async def test_usage_is_that_of_all_attempts():
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
    model = ScriptedProvider(calls(NOBODY, usage=usage), calls(ADA, usage=usage))
    answer = await Case(model, "tools").answer()
    assert answer["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 2},
    }


async def test_each_choice_is_held_to_the_schema_and_asked_for_again_by_itself():
    chunks = said({"role": "assistant", "content": NOBODY})._chunks
    two = [{**chunk, "choices": [*chunk["choices"], {**chunk["choices"][0], "index": 1}]} for chunk in chunks]
    two[0]["choices"][1] = {**two[0]["choices"][1], "delta": {"role": "assistant", "content": ADA}}
    model = ScriptedProvider(ScriptedReply(chunks=two), '{"name": "Bob"}')
    answer = await Case(model, "json_schema").answer(n=2)
    assert [choice["message"]["content"] for choice in answer["choices"]] == ['{"name": "Bob"}', ADA]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert answer["llamafarm"] == {"objects": [{"name": "Bob"}, {"name": "Ada"}]}
    assert [request["n"] for request in model.requests] == [2, 1]


@pytest.mark.parametrize(
    ("mode", "known", "instead"),
    [
        ("tools", Known(features=frozenset({"chat"})), "md_json"),
        ("tools", Known(features=frozenset({"chat"}), structured="json_schema"), "json_schema"),
    ],
)
async def test_a_model_without_tools_is_asked_otherwise_and_the_trace_says_so(mode, known, instead):
    case = Case(ScriptedProvider(ADA), mode, known)
    assert text_of(await case.answer()) == ADA
    [note] = [row for row in case.trace if "instead_of" in row]
    assert (note["mode"], note["instead_of"], note["because"]) == (instead, "tools", "the model calls no tools")


async def test_tools_of_the_client_stay_and_their_calls_pass_unchecked():
    model = ScriptedProvider(lambda _: calls('{"where": "here"}', name="weather"))
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = await Case(model, "tools").answer(tools=tools)
    assert model.requests[0]["tools"] == tools
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert answer["llamafarm"] == {"object": None}


async def test_any_object_is_asked_for_as_the_client_asks():
    model = ScriptedProvider(ADA)
    wanted = {"type": "json_object"}
    assert text_of(await Case(model, "json").answer(wanted)) == ADA
    assert model.requests == [{"messages": [QUESTION], "response_format": wanted}]


@pytest.mark.parametrize(
    ("mode", "sent"), [("json_schema", "json_schema"), ("json", "json_object"), ("md_json", None), ("tools", None)]
)
async def test_which_object_is_what_the_configuration_says(mode, sent, tmp_path):
    """Clients that write the schema into their prompts ask the API for any object."""
    (tmp_path / "person.json").write_text(json.dumps(PERSON))
    model = ScriptedProvider(calls(ADA) if mode == "tools" else ADA)
    case = Case(model, mode, HELD, options={"schema": str(tmp_path / "person.json")})
    answer = await case.answer({"type": "json_object"})
    assert answer["llamafarm"] == {"object": {"name": "Ada"}}
    assert model.requests[0].get("response_format", {}).get("type") == sent
    assert json.dumps(PERSON) in json.dumps(model.requests[0]).replace('\\"', '"')


@pytest.mark.parametrize(
    "wanted", [{"type": "json_schema"}, {"type": "json_schema", "json_schema": {"schema": {"type": 3}}}]
)
async def test_what_is_no_schema_is_an_error_of_the_request(wanted):
    with pytest.raises(RequestError, match="holds no JSON Schema") as caught:
        await Case(ScriptedProvider(ADA)).answer(wanted)
    assert caught.value.param == "response_format.json_schema.schema"


class TestSchemasThatTheRuntimeCannotHold:
    """It refuses to hold answers to them; the handler checks what it cannot hold, as `uniqueItems`."""

    REFUSED = InvalidRequest("`uniqueItems` cannot be enforced", param="response_format.json_schema.schema")

    @pytest.mark.parametrize("stream", [{}, {"stream": True}], ids=["whole", "streamed"])
    async def test_it_holds_to_the_rest_and_what_does_not_fit_is_asked_for_again(self, stream):
        model = ScriptedProvider(self.REFUSED, NOBODY, ADA)
        case = Case(model, known=HELD)
        assert text_of(await case.answer(**stream)) == ADA
        strict = [request["response_format"]["json_schema"].get("strict") for request in model.requests]
        assert strict == [None, False, False]
        [note] = [row for row in case.trace if "strict" in row]
        assert (note["strict"], note["because"]) == (False, "`uniqueItems` cannot be enforced")

    @pytest.mark.parametrize(
        ("refusal", "times"), [(REFUSED, 2), (InvalidRequest("it is too high", param="temperature"), 1)]
    )
    async def test_what_it_refuses_beside_is_the_answer(self, refusal, times):
        model = ScriptedProvider(refusal)
        with pytest.raises(InvalidRequest) as caught:
            await Case(model, known=HELD).answer()
        assert caught.value is refusal
        assert len(model.requests) == times


class TestStreams:
    @pytest.mark.parametrize("wanted", [FORMAT, {"type": "json_object"}], ids=["schema", "any object"])
    async def test_what_the_runtime_holds_passes_as_it_comes_byte_for_byte(self, wanted):
        model = ScriptedProvider(ADA)
        reply = await Case(model, known=HELD).reply(wanted, stream=True)
        frames = [frame async for frame in reply.frames()]
        own = [frame async for frame in ScriptedReply(ADA).frames()]
        assert frames[: len(own) - 1] == own[:-1]
        assert json.loads(frames[-2].removeprefix(b"data: "))["llamafarm"] == {"object": {"name": "Ada"}}
        assert frames[-1] == own[-1]

    async def test_the_last_chunk_has_the_object(self):
        reply = await Case(ScriptedProvider(ADA), known=HELD).reply(stream=True)
        chunks = [chunk async for chunk in reply.chunks()]
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["llamafarm"] == {"object": {"name": "Ada"}}

    async def test_one_that_does_not_fit_ends_with_the_error(self):
        """It has been read by then: it is not asked for again."""
        model = ScriptedProvider(said({"role": "assistant", "content": '{"name": "A'}, "length"))
        reply = await Case(model, known=HELD).reply(stream=True)
        with pytest.raises(UpstreamError, match="has not given what the schema"):
            _ = [chunk async for chunk in reply.chunks()]
        assert len(model.requests) == 1

    async def test_what_may_be_asked_for_again_is_held_back_and_no_text_comes_twice(self):
        model = ScriptedProvider(NOBODY, ADA)
        reply = await Case(model, "json").reply(stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in reply.chunks()]
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
        assert text == ADA
        assert [chunk["llamafarm"] for chunk in chunks if "llamafarm" in chunk] == [{"object": {"name": "Ada"}}]
        assert all("stream" not in request for request in model.requests)

    async def test_so_is_what_a_request_does_not_want_held_to_all_of_the_schema(self):
        loose = {**FORMAT, "json_schema": {**FORMAT["json_schema"], "strict": False}}
        model = ScriptedProvider(NOBODY, ADA)
        reply = await Case(model, known=HELD).reply(loose, stream=True)
        chunks = [chunk async for chunk in reply.chunks()]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == ADA

    async def test_what_may_not_be_asked_for_again_passes_as_it_comes(self):
        model = ScriptedProvider(ADA)
        await Case(model, "json", options={"max_retries": 0}).reply(stream=True)
        assert model.requests[0]["stream"] is True

    async def test_frames_of_any_form_are_read(self):
        """Comments, names of events and odd ends of lines, as servers send them."""
        frames = [frame async for frame in ScriptedReply(ADA).frames()]
        odd = [b": keep-alive\n\n", *(b"event: chunk\r\n" + frame.replace(b"\n", b"\r\n") for frame in frames[:-1])]
        model = ScriptedProvider(ScriptedReply(frames=[*odd, frames[-1]]))
        reply = await Case(model, known=HELD).reply(stream=True)
        sent = [frame async for frame in reply.frames()]
        assert sent[: len(odd)] == odd
        assert json.loads(sent[-2].removeprefix(b"data: "))["llamafarm"] == {"object": {"name": "Ada"}}
