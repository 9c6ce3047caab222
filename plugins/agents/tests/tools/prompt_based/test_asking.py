"""Functions for a model that is told of them in its prompt, and whose calls are text."""

from __future__ import annotations

import json

import pytest
from llamafarm.errors import RequestError
from llamafarm_kit.testing import ScriptedProvider
from turns import COW, DAISY, QUESTION, SEND, Barn, Case, Known, calls_of, text_of

pytestmark = pytest.mark.anyio

WEIGH = {"type": "function", "function": {"name": "weigh", "parameters": COW}}
CALL = f'<tool_call>\n{{"name": "weigh", "arguments": {DAISY}}}\n</tool_call>'
HELD = Known(structured="json_schema", features=frozenset({"chat"}))


def case_of(*script, **more) -> Case:
    return Case(ScriptedProvider(*script), **{"options": {"tool_call_strategy": "prompt_based"}, **more})


async def test_a_call_in_a_text_is_a_call_for_the_client():
    answer = await case_of(f"I look.\n{CALL}").answer(tools=[WEIGH])
    assert (text_of(answer), calls_of(answer)) == ("I look.\n", [("weigh", {"cow": "Daisy"})])
    [choice] = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["id"].startswith("call_")


async def test_a_stream_is_held_back_from_where_a_call_may_begin():
    chunks = await case_of(f"I look now. {CALL}").chunks(tools=[WEIGH])
    choices = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "I look now. "
    [call] = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
    assert (call["index"], call["function"]) == (0, {"name": "weigh", "arguments": DAISY})
    assert choices[-1]["finish_reason"] == "tool_calls"


async def test_the_model_is_told_in_its_system_message_what_it_can_call():
    case = case_of("Moo.")
    await case.answer({"role": "system", "content": "Be brief."}, QUESTION, tools=[SEND, WEIGH])
    system, question = case.asked()
    assert question == QUESTION
    assert system["content"].startswith("Be brief.\n\nYou can call these functions")
    lines = [json.loads(line) for line in system["content"].splitlines() if line.startswith('{"name": "send"')]
    assert lines == [SEND["function"]]
    assert {"tools", "tool_choice"}.isdisjoint(case.model.requests[0])


async def test_past_calls_and_their_results_are_texts():
    call = {"id": "1", "type": "function", "function": {"name": "weigh", "arguments": DAISY}}
    second = {**call, "id": "2", "function": {"name": "weigh", "arguments": "{broken"}}
    case = case_of("640 kg.")
    await case.answer(
        QUESTION,
        {"role": "assistant", "content": "I look.", "tool_calls": [call, second]},
        {"role": "tool", "tool_call_id": "1", "content": "640 kg"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "none"}]},
        {"role": "user", "content": "And?"},
        tools=[WEIGH],
    )
    _system, _question, called, results = case.asked()
    broken = '<tool_call>\n{"name": "weigh", "arguments": "{broken"}\n</tool_call>'
    assert called == {"role": "assistant", "content": f"I look.\n{CALL}\n{broken}"}
    assert results == {
        "role": "user",
        "content": '<tool_result>\n{"name": "weigh", "content": "640 kg"}\n</tool_result>\n'
        '<tool_result>\n{"name": "weigh", "content": "none"}\n</tool_result>\n\nAnd?',
    }


async def test_tools_of_the_project_are_called_in_this_way_too():
    barn = Barn()
    case = case_of(CALL, "640 kg.", sources={"barn": barn})
    assert text_of(await case.answer()) == "640 kg."
    assert barn.calls == [("weigh", {"cow": "Daisy"})]
    assert [message["role"] for message in case.asked()] == ["system", "user", "assistant", "user"]


class TestChoice:
    async def test_none_tells_of_no_function_and_reads_no_call(self):
        case = case_of(CALL)
        assert text_of(await case.answer(tools=[WEIGH], tool_choice="none")) == CALL
        assert case.asked() == [QUESTION]

    @pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weigh"}}])
    async def test_a_call_that_must_come_is_held_where_the_runtime_can(self, choice):
        case = case_of(f'{{"name": "weigh", "arguments": {DAISY}}}', known=HELD)
        answer = await case.answer(tools=[SEND, WEIGH], tool_choice=choice)
        assert calls_of(answer) == [("weigh", {"cow": "Daisy"})]
        held = case.model.requests[0]["response_format"]["json_schema"]["schema"]
        names = [call["properties"]["name"]["const"] for call in held.get("anyOf", [held])]
        assert names == (["send", "weigh"] if choice == "required" else ["weigh"])

    async def test_a_request_may_allow_some_of_them(self):
        some = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [WEIGH]}}
        case = case_of(CALL)
        await case.answer(tools=[SEND, WEIGH], tool_choice=some)
        told = case.asked()[0]["content"]
        assert '"weigh"' in told
        assert '"send"' not in told

    async def test_elsewhere_the_model_is_told_that_it_must(self):
        case = case_of(CALL)
        await case.answer(tools=[WEIGH], tool_choice="required")
        assert case.asked()[0]["content"].endswith("Call one of them now.")
        assert case.trace == []
        silent = case_of("Moo.")
        await silent.answer(tools=[WEIGH], tool_choice="required")
        assert silent.notes(because="nothing was called, though `tool_choice` wants a call")
        assert "response_format" not in case.model.requests[0]

    async def test_a_function_that_is_not_there_is_an_error(self):
        with pytest.raises(RequestError, match="names 'milk', which is none of the functions") as raised:
            await case_of(CALL).answer(tools=[WEIGH], tool_choice={"type": "function", "function": {"name": "milk"}})
        assert raised.value.param == "tool_choice"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_of_several_calls_the_first_counts_where_one_may_be_made(self, stream):
        answer = await case_of(CALL * 2).answer(tools=[WEIGH], parallel_tool_calls=False, stream=stream)
        assert len(calls_of(answer)) == 1
        assert len(calls_of(await case_of(CALL * 2).answer(tools=[WEIGH], stream=stream))) == 2


async def test_what_a_model_makes_up_behind_a_call_is_left_out():
    case = case_of(f"{CALL}\n<tool_result>700 kg</tool_result> Daisy weighs 700 kg.")
    assert text_of(await case.answer(tools=[WEIGH])) in ("", None)
    assert case.notes(because="characters of text behind a call")
