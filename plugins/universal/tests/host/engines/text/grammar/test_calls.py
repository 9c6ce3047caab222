"""Calls in the form of each family: forced, or free until they begin, and read back as they were written."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.parse import PLAIN, Format, Parser
from llamafarm_universal.host.engines.text.parse.calls import CallMarks
from llamafarm_universal.host.engines.text.parse.formats import (
    DEEPSEEK,
    DEEPSEEK_FENCED,
    GEMMA,
    GEMMA_4,
    GLM,
    HERMES,
    LLAMA,
    MISTRAL,
    MISTRAL_ARGS,
    QWEN_CODER,
    THINK,
)
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.messages import Structure
from speaker import PARAMETERS, Chat, Speaker, speaker_with

F = '{"name": "f", "arguments": {"x": 1}}'
HERMES_F = f"<tool_call>\n{F}\n</tool_call>"
THOUGHT = "<think>\nHm.</think>\n\n"
TOOLS = dict.fromkeys(("f", "get_g"), PARAMETERS)
GLM_TOKENS = ("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
GLM_X = "<arg_key>x</arg_key>\n<arg_value>1</arg_value>"
SPECIAL = {
    "hermes": (HERMES, ()),
    "mistral": (MISTRAL, ("[TOOL_CALLS]",)),
    "mistral with arguments": (MISTRAL_ARGS, ("[TOOL_CALLS]", "[ARGS]")),
    "mistral in text": (MISTRAL, ()),
    "llama": (LLAMA, ("<|python_tag|>",)),
    "deepseek": (DEEPSEEK, (DEEPSEEK.open, str(DEEPSEEK.close), *DEEPSEEK.inner)),
    "deepseek with fences": (DEEPSEEK_FENCED, (DEEPSEEK.open, str(DEEPSEEK.close), *DEEPSEEK.inner)),
    "gpt-oss": (None, ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|call|>")),
    "plain": (PLAIN, ()),
    "qwen coder": (QWEN_CODER, ()),
    "glm": (GLM, ()),
    "glm with special marks": (GLM, GLM_TOKENS),
    "gemma": (GEMMA, ("<start_function_call>", "<end_function_call>", "<escape>")),
    "gemma in text": (GEMMA, ()),
    "gemma 4": (GEMMA_4, ("<|tool_call>", "<tool_call|>", '<|"|>')),
}
WRITTEN = {
    "hermes": HERMES_F,
    "mistral": f"[TOOL_CALLS] [{F}]",
    "mistral with arguments": '[TOOL_CALLS]f[ARGS]{"x": 1}',
    "mistral in text": f"[TOOL_CALLS][{F}]",
    "llama": '{"name": "f", "parameters": {"x": 1}}',
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>"
    '{"x": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "deepseek with fences": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n"
    '{"x": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "gpt-oss": '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}',
    "plain": F,
    "qwen coder": "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n<parameter=to>\na\n</parameter>\n"
    "</function>\n</tool_call>",
    "glm": f"<tool_call>f\n{GLM_X}\n</tool_call>",
    "glm with special marks": f"<tool_call>f{GLM_X}</tool_call>",
    "gemma": "<start_function_call>call:f{to:<escape>a<escape>,x:1}<end_function_call>",
    "gemma in text": "<start_function_call>call:f{to:<escape>a<escape>,x:1}<end_function_call>",
    "gemma 4": "<|tool_call>call:f{x:1}<tool_call|>",
}
FORCED = Chat(("f", "get_g"), required=True)
FREE = Chat(("f", "get_g"))
ENDS = {"finished", "may end"}


def speaker_of(family: str) -> Speaker:
    calls, special = SPECIAL[family]
    return speaker_with(*special, model_format=Format(THINK, calls))


def otherwise(written: str) -> str:
    """A call with an argument that the tool has not."""
    return re.sub(r"\bx\b", "y", written)


def told(speaker: Speaker, text: str, size: int, *, streams: bool) -> list[tuple[str, str]]:
    """The calls in a text that comes in pieces, and what else it says, but for the channels of gpt-oss."""
    stages = Parser.of_chat(speaker.format, "", StopStage(), TOOLS, streams=streams)
    parts = [part for start in range(0, len(text), size) for part in stages.feed(text[start : start + size])]
    found: list[tuple[str, str]] = []
    for part in [*parts, *stages.finish()]:
        if part.channel == "tool_call":
            found.append((json.loads(part.text)["name"], json.loads(part.text)["arguments"]))
        elif part.channel == "arguments":
            found[-1] = (found[-1][0], found[-1][1] + part.text)
        elif speaker.format.calls is not None:
            found.append((part.channel, part.text))
    return found


@pytest.fixture(scope="module", params=SPECIAL)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def speaker(family: str) -> Speaker:
    return speaker_of(family)


def test_a_forced_answer_is_a_call_of_a_tool_that_is_there(speaker: Speaker, family: str) -> None:
    written = WRITTEN[family]
    assert speaker.reads(FORCED.asked, written) in ENDS
    assert "goes on with no" in speaker.reads(FORCED.asked, written.replace("f", "h", 1) if family == "plain" else "hi")
    assert "goes on with no" in speaker.reads(FORCED.asked, otherwise(written))
    assert "goes on with no" in speaker.reads(FORCED.asked, written.replace("1", '"1"'))


def test_a_free_answer_is_text_until_a_call_begins(speaker: Speaker, family: str) -> None:
    written = WRITTEN[family]
    said = "<|channel|>final<|message|>" if family == "gpt-oss" else ""
    assert speaker.reads(FREE.asked, f"{said}The <b> and {{}} of it.") == "may end"
    assert speaker.reads(FREE.asked, written) in ENDS
    assert "goes on with no" in speaker.reads(FREE.asked, otherwise(written))


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_whatever_a_forced_answer_says_is_read_as_calls_whole_and_while_it_comes(
    speaker: Speaker, family: str, size: int
) -> None:
    called = 0
    for seed in range(6):
        text = speaker.says(FORCED.asked, Random(seed))
        if text is None:
            continue
        streamed = told(speaker, text, size, streams=True)
        assert [(name, json.loads(arguments)) for name, arguments in streamed] == [
            (name, json.loads(arguments)) for name, arguments in told(speaker, text, 1000, streams=False)
        ]
        assert {name for name, _ in streamed} <= {"f", "get_g"}
        assert all(isinstance(json.loads(arguments)["x"], int) for _, arguments in streamed)
        called += len(streamed)
    assert called >= 4


def test_several_calls_are_made_unless_only_one_is_wanted() -> None:
    hermes = speaker_of("hermes")
    two = f"{HERMES_F}\n{HERMES_F}"
    assert hermes.reads(FORCED.asked, two) == "may end"
    assert hermes.reads(FREE.asked, f"So: {two} and so on") == "may end"
    assert "goes on with no" in hermes.reads(Chat(("f",), required=True, parallel=False).asked, two)
    assert hermes.reads(Chat(("f",), parallel=False).asked, f"So: {HERMES_F}") == "finished"


def test_a_named_function_is_called_once_and_no_other() -> None:
    hermes = speaker_of("hermes")
    named = Chat(("f", "get_g"), required=True, names=("f",)).asked
    assert hermes.reads(named, HERMES_F) == "finished"
    assert "goes on with no" in hermes.reads(named, HERMES_F.replace('"f"', '"get_g"'))
    assert hermes.reads(Chat(("f", "get_g"), names=("get_g",)).asked, HERMES_F.replace('"f"', '"get_g"')) == "may end"


def test_the_mark_of_a_call_may_be_a_token_that_is_not_special_and_stands_in_no_text() -> None:
    tokenizer = speaker_of("hermes").tokenizer
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    hermes = Speaker(tokenizer, Format(THINK, HERMES))
    assert hermes.reads(FREE.asked, f"So: {HERMES_F}") == "may end"
    assert "goes on with no '</tool_call>'" in hermes.reads(FREE.asked, "a</tool_call>")
    text = hermes.says(
        Chat(("f",), required=True, parameters={"properties": {"s": {"type": "string"}}}).asked, Random(1)
    )
    assert text is None or text.count("<tool_call>") == text.count("</tool_call>")


@pytest.mark.parametrize("chat", [FREE, FORCED])
def test_calls_come_behind_reasoning_which_is_free(chat: Chat) -> None:
    thinker = speaker_with(model_format=Format(THINK, HERMES), template="<think>")
    assert thinker.reads(chat.asked, THOUGHT + HERMES_F) == "may end"
    assert thinker.reads(chat.asked, "So: <tool_call> …</think>" + HERMES_F, "<think>\n") == "may end"
    assert thinker.reads(chat.asked, THOUGHT.replace("Hm", "<tool_call> hm")) in ("may end", "open")
    assert "goes on with no" in thinker.reads(chat.asked, THOUGHT + HERMES_F.replace('"x"', '"y"'))


def test_beside_calls_an_answer_may_be_structured() -> None:
    hermes = speaker_of("hermes")
    either = Chat(("f",), structure=Structure("json", {"const": 1})).asked
    assert hermes.reads(either, "1") == "finished"
    assert hermes.reads(either, HERMES_F) == "finished"
    assert "goes on with no" in hermes.reads(either, "hi")


def test_parameters_are_kept_to_as_far_as_they_can_be_or_to_the_letter() -> None:
    hermes = speaker_of("hermes")
    ahead = {"type": "object", "properties": {"x": {"type": "string", "pattern": "(?=a)b"}}}
    unique = {"type": "object", "properties": {"x": {"type": "array", "uniqueItems": True}}}
    assert hermes.reads(Chat(("f",), required=True, parameters=ahead).asked, HERMES_F) == "may end"
    assert "goes on with no '1'" in hermes.reads(Chat(("f",), required=True, parameters=unique).asked, HERMES_F)
    for parameters in (ahead, unique):
        with pytest.raises(RequestFailed) as refused:
            hermes.held(Chat(("f",), strict=("f",), parameters=parameters).asked)
        assert refused.value.param == "tools[0].function.parameters"


def test_a_tool_without_parameters_gets_no_arguments() -> None:
    hermes = speaker_of("hermes")
    asked = Chat(("f",), required=True).asked
    without = tuple({"type": "function", "function": {"name": "f"}} for _ in range(1))
    bare = type(asked)(type(asked.prompt)((), without, {}, asked.prompt.tool_choice))  # type: ignore[arg-type, union-attr]
    assert hermes.reads(bare, HERMES_F.replace('{"x": 1}', "{}")) == "may end"
    assert "goes on with no" in hermes.reads(bare, HERMES_F)


def test_marks_and_shapes_agree() -> None:
    for calls, _ in SPECIAL.values():
        if isinstance(calls, CallMarks):
            assert calls.shape.mark == calls.open
            assert not calls.close or calls.shape.close.strip() == calls.close
