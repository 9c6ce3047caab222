"""Which functions the model is told of, and how."""

from __future__ import annotations

import json

import llamafarm
import pytest
from llamafarm.errors import ConfigError, RequestError, ToolSourceError
from llamafarm_agents.tools.options import ToolsOptions
from llamafarm_kit.testing import ScriptedProvider
from pydantic import ValidationError
from turns import COW, QUESTION, SEND, Barn, Case, Known, calling, calls_of, text_of

pytestmark = pytest.mark.anyio

WEIGH = {"type": "function", "name": "weigh", "description": "Weighs.", "parameters": COW}
MILK = {"type": "function", "function": {"name": "milk", "parameters": {"type": "object"}}}


def offered(case: Case) -> list[str]:
    return [tool["function"]["name"] for tool in case.model.requests[-1].get("tools") or ()]


async def test_without_functions_the_reply_passes_as_it_is():
    case = Case(ScriptedProvider("Moo."))
    assert await case.reply() is case.model.replies[0]
    assert case.model.requests == [{"messages": [QUESTION]}]


async def test_functions_of_the_client_alone_leave_the_reply_as_it_is():
    case = Case(ScriptedProvider("Moo."))
    assert await case.reply(tools=[SEND], tool_choice="required", n=2) is case.model.replies[0]
    assert case.model.requests[0]["tools"] == [SEND]


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("config_only", ["weigh", "milk"]),
        ("api_replace", ["send", "milk"]),
        ("api_supplement", ["weigh", "send", "milk"]),
    ],
)
async def test_the_mode_says_whose_functions_count(mode, names):
    configured = {"tools": [WEIGH, MILK], "tools_mode": mode}
    case = Case(ScriptedProvider("Moo."), options=configured)
    mine = {"type": "function", "function": {"name": "milk", "description": "Mine.", "parameters": COW}}
    await case.answer(tools=[SEND, mine])
    assert offered(case) == names
    told = {tool["function"]["name"]: tool for tool in case.model.requests[0]["tools"]}
    assert (told["milk"] == mine) == (mode != "config_only"), "of two with one name, the request's counts"
    if mode == "config_only":
        assert case.notes(left_out=["send", "milk"])


async def test_what_a_request_brings_replaces_the_tools_of_the_project_too():
    case = Case(ScriptedProvider("Moo."), {"barn": Barn()}, {"tools_mode": "api_replace"})
    await case.answer(tools=[SEND])
    assert offered(case) == ["send"]
    await case.answer()
    assert offered(case) == ["weigh"]


def test_both_forms_of_a_function_are_one():
    flat, nested = ToolsOptions(tools=[WEIGH]), ToolsOptions(tools=[{"type": "function", "function": WEIGH}])
    assert flat == nested
    assert flat.tools[0].definition() == {
        "type": "function", "function": {"name": "weigh", "description": "Weighs.", "parameters": COW}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([WEIGH, WEIGH], "two functions are called 'weigh'"),
        ([{**WEIGH, "parameters": {"type": "array"}}], "write `type: object`"),
        ([{**WEIGH, "parameters": {"type": "nonsense"}}], "nonsense"),
        ([{**WEIGH, "name": "two words"}], "name"),
    ],
)
def test_a_function_that_is_none_is_told_when_the_file_is_read(tools, told):
    with pytest.raises(ValidationError, match=told):
        ToolsOptions(tools=tools)


class TestSources:
    def tools(self, *names: str) -> Barn:
        return Barn(tools=[llamafarm.Tool(name, "", COW) for name in names])

    @pytest.mark.parametrize(
        ("sources", "names"),
        [
            (None, ["weigh", "read_a", "read_b", "write"]),
            ({}, []),
            ({"files": ["read_*"]}, ["read_a", "read_b"]),
            ({"files": ["write"], "*": ["*"]}, ["weigh", "write"]),
        ],
    )
    async def test_an_allow_list_says_which_may_be_called(self, sources, names):
        farm = {"barn": self.tools("weigh"), "files": self.tools("read_a", "read_b", "write")}
        case = Case(ScriptedProvider("Moo."), farm, {"sources": sources})
        await case.answer()
        assert offered(case) == names

    async def test_a_pattern_without_a_tool_stands_in_the_trace(self):
        case = Case(ScriptedProvider("Moo."), {"files": self.tools("read")}, {"sources": {"files": ["raed", "read"]}})
        await case.answer()
        assert case.notes(source="files", pattern="raed")

    async def test_a_name_that_is_not_its_own_gets_that_of_its_source(self):
        farm = {"files": self.tools("read", "a/b c", "send"), "mail": self.tools("read")}
        case = Case(ScriptedProvider("Moo."), farm)
        await case.answer(tools=[SEND])
        assert offered(case) == ["send", "files__read", "a_b_c", "files__send", "mail__read"]
        assert case.notes(tool="read", source="mail", called="mail__read")

    async def test_a_name_that_is_taken_all_the_same_is_an_error(self):
        case = Case(ScriptedProvider("Moo."), {"files": self.tools("a.b", "a_b")})
        with pytest.raises(ConfigError, match=r"Two functions would be called 'files__a_b'"):
            await case.answer()

    async def test_two_hundred_tools_are_an_error_that_says_how_to_choose(self):
        case = Case(ScriptedProvider("Moo."), {"files": self.tools(*(f"read_{number}" for number in range(200)))})
        with pytest.raises(ConfigError, match=r"200 tools \(files: 200\).* of 128 at most") as raised:
            await case.answer()
        assert "`sources`" in str(raised.value.hint)
        assert case.model.requests == []

    async def test_a_source_that_is_not_there_is_an_error_with_the_nearest_one(self):
        case = Case(ScriptedProvider("Moo."), {"files": Barn()}, {"sources": {"fils": ["*"]}})
        with pytest.raises(ConfigError, match="Did you mean 'files'"):
            await case.answer()

    async def test_a_source_that_cannot_be_reached_fails_the_turn_by_its_name(self):
        down = Barn(tools=ToolSourceError("The tool source 'files' cannot be reached."))
        case = Case(ScriptedProvider("Moo."), {"barn": Barn(), "files": down})
        with pytest.raises(ToolSourceError, match="'files' cannot be reached") as raised:
            await case.answer()
        assert raised.value.status == 502

    async def test_one_that_does_not_say_what_it_has_fails_in_time(self):
        case = Case(ScriptedProvider("Moo."), {"files": Silent()}, {"total_timeout": 0.01})
        with pytest.raises(ToolSourceError, match=r"'files' has not said within 0\.01 seconds"):
            await case.answer()

    async def test_where_nothing_may_be_called_no_source_is_asked(self):
        case = Case(ScriptedProvider("Moo."), {"files": Silent()})
        assert text_of(await case.answer(tool_choice="none")) == "Moo."

    async def test_several_answers_are_refused_where_tools_of_the_project_may_be_called(self):
        case = Case(ScriptedProvider("Moo."), {"barn": Barn()})
        with pytest.raises(RequestError, match="`n` must be 1") as raised:
            await case.answer(n=2)
        assert raised.value.param == "n"

    async def test_the_model_is_told_a_schema_in_plain_words(self):
        schema = {
            "$defs": {"Cow": {"type": "string", "not": {"const": ""}}},
            "properties": {"cow": {"$ref": "#/$defs/Cow"}},
        }
        case = Case(ScriptedProvider("Moo."), {"barn": Barn(tools=[llamafarm.Tool("weigh", "", schema)])})
        await case.answer()
        [tool] = case.model.requests[0]["tools"]
        assert tool["function"]["parameters"] == {"properties": {"cow": {"type": "string"}}, "type": "object"}
        assert case.notes(tool="weigh", simplified=["not"])


class Silent(Barn):
    async def list(self):
        raise TimeoutError


class TestStrategy:
    async def test_a_model_without_tools_is_told_in_its_prompt(self):
        model = ScriptedProvider('<tool_call>{"name": "send", "arguments": {"to": "Ada"}}</tool_call>')
        case = Case(model, known=Known(features=frozenset({"chat"})))
        answer = await case.answer(tools=[SEND])
        assert calls_of(answer) == [("send", {"to": "Ada"})]
        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        assert "tools" not in model.requests[0]
        assert json.dumps(SEND["function"]) in case.asked()[0]["content"]
        assert case.notes(strategy="prompt_based", instead_of="native_api")

    @pytest.mark.parametrize("known", [Known(features=frozenset({"chat", "tools"})), Known()])
    async def test_any_other_is_told_by_the_api(self, known):
        case = Case(ScriptedProvider(calling(("send", "{}"))), known=known)
        assert calls_of(await case.answer(tools=[SEND])) == [("send", {})]
        assert case.model.requests[0]["tools"] == [SEND]

    async def test_the_configuration_chooses_the_prompt(self):
        case = Case(ScriptedProvider("Moo."), options={"tool_call_strategy": "prompt_based"})
        assert text_of(await case.answer(tools=[SEND])) == "Moo."
        assert "tools" not in case.model.requests[0]
