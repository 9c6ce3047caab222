"""Turns in which the model calls tools of the project."""

from __future__ import annotations

import asyncio

import llamafarm
import pytest
from llamafarm.errors import RequestError, ToolSourceError, UpstreamError
from llamafarm_kit.testing import ScriptedProvider, ScriptedReply
from turns import DAISY, QUESTION, SEND, Barn, Case, calling, calls_of, said, text_of

pytestmark = pytest.mark.anyio

LETTER = '{"to": "Ada"}'


def results(case: Case, number: int = -1) -> list[str]:
    """What the model was told that its calls have given."""
    return [message["content"] for message in case.asked(number) if message["role"] == "tool"]


async def test_a_tool_is_called_and_the_model_answers_with_what_it_gives():
    barn = Barn()
    case = Case(ScriptedProvider(calling(("weigh", DAISY)), "640 kg."), {"barn": barn})
    answer = await case.answer()
    assert (text_of(answer), answer["choices"][0]["finish_reason"]) == ("640 kg.", "stop")
    assert calls_of(answer) == []
    assert barn.calls == [("weigh", {"cow": "Daisy"})]
    question, call, result = case.asked()
    assert question == QUESTION
    assert call["tool_calls"][0]["function"] == {"name": "weigh", "arguments": DAISY}
    assert result == {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "640 kg"}
    assert all(reply.closed for reply in case.model.replies)


async def test_each_call_is_told_in_the_trace_and_to_the_client():
    case = Case(ScriptedProvider(calling(("weigh", DAISY)), "640 kg."), {"barn": Barn()})
    answer = await case.answer()
    [row] = answer["llamafarm"]["tool_calls"]
    assert (row["name"], row["source"], row["ok"]) == ("weigh", "barn", True)
    assert case.notes(tool="weigh", source="barn", arguments_size=len(DAISY), result_size=6, is_error=False)
    assert "Daisy" not in str(case.trace), "sizes alone: arguments and results may be anybody's"


async def test_calls_of_one_answer_are_made_side_by_side_and_answered_in_their_order():
    both = asyncio.Barrier(2)

    class Slow(Barn):
        async def call(self, name, arguments):
            await both.wait()
            return llamafarm.ToolResult(arguments["cow"])

    calls = ("weigh", DAISY), ("weigh", '{"cow": "Berta"}')
    case = Case(ScriptedProvider(calling(*calls), "Both."), {"barn": Slow()})
    answer = await case.answer()
    assert results(case) == ["Daisy", "Berta"]
    assert len(answer["llamafarm"]["tool_calls"]) == 2


async def test_a_stream_is_one_answer():
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    model = ScriptedProvider(
        calling(("weigh", DAISY), text="I look.", usage=usage),
        said({"role": "assistant", "reasoning": "Heavy."}, {"content": "640"}, {"content": " kg."}, usage=usage),
    )
    case = Case(model, {"barn": Barn()})
    chunks = await case.chunks(stream_options={"include_usage": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert [delta["role"] for delta in deltas if "role" in delta] == ["assistant"]
    assert "".join(delta.get("content") or "" for delta in deltas) == "I look.\n\n640 kg."
    assert "".join(delta.get("reasoning") or "" for delta in deltas) == "Heavy."
    assert not any("tool_calls" in delta for delta in deltas)
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]] == [
        "stop"
    ]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert [chunk["usage"] for chunk in chunks if "usage" in chunk] == [
        {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 2}}
    ]
    assert [row["name"] for row in chunks[-1]["llamafarm"]["tool_calls"]] == ["weigh"]


async def test_the_text_before_a_call_goes_on_before_the_call_is_made():
    case = Case(ScriptedProvider(calling(("weigh", DAISY), text="I look."), "640 kg."), {"barn": Barn(...)})
    reply = await case.reply(stream=True)
    chunks = reply.chunks()
    assert (await anext(chunks))["choices"][0]["delta"]["content"] == "I look."
    await chunks.aclose()
    await reply.aclose()


async def test_the_model_sees_what_it_has_said_and_the_session_keeps_it_once():
    case = Case(
        ScriptedProvider(calling(("weigh", DAISY), text="I look."), "640 kg."), {"barn": Barn()}, session=object()
    )
    assert text_of(await case.answer()) == "I look.\n\n640 kg."
    assert [message.get("content") for message in case.asked()] == [QUESTION["content"], "I look.", "640 kg"]
    assert [step["content"] for step in case.steps] == [None, "640 kg"]


class TestFunctionsOfTheClient:
    """They are the client's to execute: its calls end the turn."""

    async def test_they_go_to_the_client_with_their_arguments_as_they_come(self):
        case = Case(ScriptedProvider(calling(("send", LETTER))), {"barn": Barn()})
        chunks = await case.chunks(tools=[SEND])
        pieces = [
            c["choices"][0]["delta"]["tool_calls"][0]
            for c in chunks
            if c["choices"] and c["choices"][0]["delta"].get("tool_calls")
        ]
        assert [piece["function"].get("arguments") for piece in pieces] == [LETTER[:3], LETTER[3:]]
        assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "tool_calls"
        assert len(case.model.requests) == 1

    @pytest.mark.parametrize("stream", [False, True])
    async def test_in_a_mixed_answer_the_others_are_made_first(self, stream):
        barn = Barn()
        case = Case(ScriptedProvider(calling(("weigh", DAISY), ("send", LETTER)), "Done."), {"barn": barn})
        answer = await case.answer(tools=[SEND], stream=stream)
        assert calls_of(answer) == [("send", {"to": "Ada"})]
        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        assert barn.calls == [("weigh", {"cow": "Daisy"})]
        assert len(case.model.requests) == 1, "the model is asked again when the client has answered"

    async def test_a_client_that_keeps_its_conversation_itself_goes_on_with_a_whole_one(self):
        mixed = calling(("weigh", DAISY), ("send", LETTER), text="I do both.")
        case = Case(ScriptedProvider(mixed, "Sent: 640 kg.", "You are welcome."), {"barn": Barn()})
        message = (await case.answer(tools=[SEND]))["choices"][0]["message"]
        answered = [
            QUESTION,
            message,
            {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sent"},
        ]
        assert text_of(await case.answer(*answered, tools=[SEND])) == "Sent: 640 kg."
        roles = [(message["role"], message.get("content")) for message in case.asked()]
        assert roles == [
            ("user", QUESTION["content"]),
            ("assistant", None),
            ("tool", "640 kg"),
            ("assistant", "I do both."),
            ("tool", "sent"),
        ]
        thanks = [*answered, {"role": "assistant", "content": "Sent: 640 kg."}, {"role": "user", "content": "Thanks"}]
        await case.answer(*thanks, tools=[SEND])
        assert results(case) == ["640 kg", "sent"]

    async def test_results_are_found_by_nobody_who_does_not_know_the_conversation(self):
        case = Case(ScriptedProvider(calling(("weigh", DAISY), ("send", LETTER)), "No."), {"barn": Barn()})
        message = (await case.answer(tools=[SEND]))["choices"][0]["message"]
        other = {"role": "user", "content": "What did another one weigh?"}
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sent"}
        await case.answer(other, message, result, tools=[SEND])
        assert results(case) == ["sent"]

    async def test_a_session_keeps_what_was_called(self):
        case = Case(ScriptedProvider(calling(("weigh", DAISY), ("send", LETTER))), {"barn": Barn()}, session=object())
        await case.answer(tools=[SEND])
        call, result = case.steps
        assert [made["function"]["name"] for made in call["tool_calls"]] == ["weigh"]
        assert result["content"] == "640 kg"

    async def test_a_call_that_had_to_come_does_not_have_to_come_again(self):
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), "640 kg."), {"barn": Barn()})
        await case.answer(tool_choice="required", parallel_tool_calls=False)
        first, second = case.model.requests
        assert (first["tool_choice"], second.get("tool_choice")) == ("required", None)
        assert second["parallel_tool_calls"] is False

    async def test_a_client_that_wants_a_call_of_its_functions_gets_one(self):
        weigh = calling(("weigh", DAISY))
        case = Case(ScriptedProvider(weigh, weigh, calling(("send", LETTER))), {"barn": Barn()}, {"max_rounds": 3})
        assert calls_of(await case.answer(tools=[SEND], tool_choice="required")) == [("send", {"to": "Ada"})]
        assert [request["tool_choice"] for request in case.model.requests] == ["required"] * 3
        offered = [[tool["function"]["name"] for tool in request["tools"]] for request in case.model.requests]
        assert offered == [["send", "weigh"], ["send", "weigh"], ["send"]], "the last time, no other can be called"

    async def test_at_the_bound_it_gets_it_with_what_was_called_beside(self):
        mixed = calling(("weigh", DAISY), ("send", LETTER))
        barn = Barn()
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), mixed), {"barn": barn}, {"max_rounds": 2})
        assert calls_of(await case.answer(tools=[SEND])) == [("send", {"to": "Ada"})]
        assert len(barn.calls) == 2

    async def test_functions_that_a_request_allows_stay_the_only_ones(self):
        some = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [SEND]}}
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), "640 kg."), {"barn": Barn()})
        await case.answer(tools=[SEND], tool_choice=some)
        assert case.model.requests[1]["tool_choice"]["allowed_tools"] == {"mode": "auto", "tools": [SEND]}


class TestFailures:
    @pytest.mark.parametrize(
        ("result", "told"),
        [
            (ToolSourceError("The barn has burnt down.", hint="Build one."), "Error: The barn has burnt down."),
            (llamafarm.ToolResult("No such cow.", is_error=True), "Error: No such cow."),
            (RuntimeError("of the plugin"), "Error: the call failed: RuntimeError."),
            (640, "Error: the call failed: TypeError."),
            (llamafarm.ToolResult(""), ""),
            ("half a \udc80 sign", "half a ? sign"),
        ],
    )
    async def test_the_model_is_told_what_a_call_gave(self, result, told):
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), "Sorry."), {"barn": Barn(result)})
        answer = await case.answer()
        assert (text_of(answer), results(case)) == ("Sorry.", [told])
        assert answer["llamafarm"]["tool_calls"][0]["ok"] == (not told.startswith("Error"))

    @pytest.mark.parametrize(
        ("call", "told"),
        [
            (("milk", "{}"), "there is no function 'milk'. There is weigh."),
            (("weigh", '{"cow": '), "cannot be read as JSON"),
            (("weigh", '{"cow": 7}'), '$.cow: 7 is not of type "string"'),
            (("weigh", "[1]"), "the arguments do not fit"),
            (("weigh", ""), '"cow" is a required property'),
        ],
    )
    async def test_a_call_that_cannot_be_made_is_answered_with_the_reason(self, call, told):
        barn = Barn()
        case = Case(ScriptedProvider(calling(call), "Sorry."), {"barn": barn})
        await case.answer()
        assert told in results(case)[0]
        assert barn.calls == []

    async def test_a_call_that_takes_too_long_is_ended(self):
        barn = Barn(...)
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), "Sorry."), {"barn": barn}, {"call_timeout": 0.02})
        await case.answer()
        assert results(case) == ["Error: no result came within 0.02 seconds."]
        assert barn.cancelled == 1

    async def test_when_the_time_of_the_turn_is_used_up_nothing_more_is_called(self):
        barn, limits = Barn(...), {"total_timeout": 0.02}
        case = Case(
            ScriptedProvider(calling(("weigh", DAISY)), calling(("weigh", DAISY)), "Sorry."), {"barn": barn}, limits
        )
        await case.answer()
        assert "is used up" in results(case)[1]
        assert len(barn.calls) == 1

    async def test_a_result_that_is_too_long_is_cut_and_says_so(self):
        case = Case(
            ScriptedProvider(calling(("weigh", DAISY)), "Heavy."), {"barn": Barn("x" * 150)}, {"max_result": 100}
        )
        await case.answer()
        told = "\n[The last 50 of 150 characters of this result are left out.]"
        assert results(case) == ["x" * 100 + told]
        assert case.notes(tool="weigh", left_out=50)

    async def test_a_model_that_never_answers_is_made_to_at_the_bound(self):
        again = calling(("weigh", DAISY))
        case = Case(ScriptedProvider(again, again, "640 kg."), {"barn": Barn()}, {"max_rounds": 3})
        assert text_of(await case.answer()) == "640 kg."
        assert [request.get("tool_choice") for request in case.model.requests] == [None, None, "none"]
        assert case.notes(because="`max_rounds`: the model is asked for an answer without a call")

    async def test_a_runtime_that_takes_no_such_choice_is_told_of_no_functions_then(self):
        refused = RequestError("`tool_choice` is not taken.", param="tool_choice")
        case = Case(
            ScriptedProvider(calling(("weigh", DAISY)), refused, "640 kg."), {"barn": Barn()}, {"max_rounds": 2}
        )
        assert text_of(await case.answer()) == "640 kg."
        assert {"tools", "tool_choice"}.isdisjoint(case.model.requests[-1])

    @pytest.mark.parametrize("stream", [False, True])
    async def test_one_that_calls_even_then_is_an_error(self, stream):
        case = Case(ScriptedProvider(calling(("weigh", DAISY))), {"barn": Barn()}, {"max_rounds": 3})
        with pytest.raises(UpstreamError, match="asked 3 times in this turn, and still calls weigh") as raised:
            await case.answer(stream=stream)
        assert raised.value.code == "too_many_tool_rounds"
        assert len(case.model.requests) == 3
        assert all(reply.closed for reply in case.model.replies)

    async def test_a_call_that_is_cut_at_the_limit_is_not_made(self):
        barn = Barn()
        case = Case(ScriptedProvider(calling(("weigh", DAISY), reason="length")), {"barn": barn})
        answer = await case.answer()
        assert answer["choices"][0]["finish_reason"] == "length"
        assert barn.calls == []
        assert case.notes(left_out=["weigh"])

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_client_that_goes_away_ends_the_calls(self, stream):
        barn = Barn(...)
        case = Case(ScriptedProvider(calling(("weigh", DAISY), ("weigh", DAISY))), {"barn": barn})
        before = asyncio.all_tasks()
        task = asyncio.create_task(case.answer(stream=stream))
        while len(barn.calls) < 2:  # noqa: ASYNC110 - it is the source that knows
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), barn.cancelled) == (True, 2)
        assert asyncio.all_tasks() == before
        assert all(reply.closed for reply in case.model.replies)

    async def test_an_error_of_the_model_in_the_middle_is_passed_on(self):
        broken = lambda _: ScriptedReply("one two", error=UpstreamError("It broke."))  # noqa: E731
        case = Case(ScriptedProvider(calling(("weigh", DAISY)), broken), {"barn": Barn()})
        with pytest.raises(UpstreamError, match="It broke"):
            await case.chunks()
        assert all(reply.closed for reply in case.model.replies)


async def test_calls_whose_pieces_come_oddly_are_understood():
    """Without an id, and with the name behind the first piece."""
    pieces = [
        {"role": "assistant", "tool_calls": [{"index": 0, "function": {"arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "weigh", "arguments": DAISY}}]},
        {"tool_calls": [{"index": 1, "function": {"name": "send", "arguments": LETTER}}]},
    ]
    barn = Barn()
    case = Case(ScriptedProvider(said(*pieces, reason="tool_calls")), {"barn": barn})
    chunks = await case.chunks(tools=[SEND])
    shown = [call for c in chunks if c["choices"] for call in c["choices"][0]["delta"].get("tool_calls") or ()]
    assert [(call["index"], call["function"]["name"]) for call in shown] == [(0, "send")]
    assert barn.calls == [("weigh", {"cow": "Daisy"})]
