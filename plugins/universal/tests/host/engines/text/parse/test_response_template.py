"""Models that say how they write: taken for a family where they write as one does, else read as they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llamafarm_universal.host.engines.text.parse import Parser, ResponseTemplate, format_of
from llamafarm_universal.host.engines.text.parse.formats import (
    DEEPSEEK,
    GEMMA_4,
    GEMMA_THINK,
    HERMES,
    MISTRAL_ARGS,
    MISTRAL_THINK,
    QWEN_CODER,
    THINK,
)
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.messages import ChatPrompt, ModelRef, Structure, ToolChoice
from tiny_models import make_reciting_model
from transformers import AutoTokenizer

CALL = {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}}
ELEMENTS = {"tag_pattern": r"<arg name=\"(?P<key>\w+)\">(?P<value>.*?)</arg>"}
OWN = {
    "start_anchor": "<bot>",
    "fields": {
        "thinking": {"open": "<mull>", "close": "</mull>"},
        "tool_calls": {
            "open_pattern": r"<call name=\"(?P<name>\w+)\">",
            "close": "</call>",
            "repeats": True,
            "content": "xml-inline",
            "content_args": ELEMENTS,
            "transform": CALL,
        },
        "content": {"close": "<done>"},
    },
}
PARAMETERS = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}}
F = '<call name="f"><arg name="x">7</arg><arg name="y">7</arg></call>'
CALLED = ("tool_call", {"name": "f", "arguments": {"x": 7, "y": "7"}})


class Tokenizer:
    def __init__(self, template: Any) -> None:
        self.response_template = template


def template_of(*, calls: Any = None, thinking: Any = None) -> ResponseTemplate:
    fields = {"content": {}, **({"tool_calls": calls} if calls else {}), **({"thinking": thinking} if thinking else {})}
    made = ResponseTemplate.of(Tokenizer({"start_anchor": "<bot>", "fields": fields}))
    assert made is not None
    return made


@pytest.mark.parametrize(("calls", "thinking", "family"), [
    ({"open_pattern": r"\s*<tool_call>", "close": "</tool_call>"}, {"open": "<think>"}, (THINK, HERMES)),
    ({"open_pattern": r"<tool_call>\s*<function=(?:[^>]+)>", "close": "</tool_call>"}, None, (THINK, QWEN_CODER)),
    ({"open_pattern": r"<\|tool_call>call:(?:\w+)", "close": "<tool_call|>"}, {"open": "<|channel>thought\n"},
     (GEMMA_THINK, GEMMA_4)),
    ({"open_pattern": r"\[TOOL_CALLS\](?:\w+)\[ARGS\]"}, {"open": "[THINK]"}, (MISTRAL_THINK, MISTRAL_ARGS)),
    (None, {"open": "<think>"}, (THINK, DEEPSEEK)),  # the chat template says the rest
    (None, None, (THINK, DEEPSEEK)),
])  # fmt: skip
def test_a_family_is_known_by_what_a_template_says(calls: Any, thinking: Any, family: Any) -> None:
    made = format_of("… <｜tool▁calls▁begin｜> …", {"<|tool_call>"}, template_of(calls=calls, thinking=thinking))
    assert ((made.thinking, made.calls), made.response) == (family, None)


def test_one_of_no_family_is_used_and_its_marks_are_shown() -> None:
    made = format_of("… <tool_call> …", {"<mull>", "</call>", "<pad>"}, ResponseTemplate.of(Tokenizer(OWN)))
    assert made.response is not None
    assert made.calls == HERMES
    assert made.marks(with_tools=True) == {"<mull>", "</call>"}
    assert made.thinks("")


@pytest.mark.parametrize(
    "template", [{}, {"fields": {"content": {}}}, "text", {"start_anchor": "<", "fields": {"a": 1}}]
)
def test_one_that_transformers_cannot_read_is_left_with_a_word(template: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert ResponseTemplate.of(Tokenizer(template)) is None
    assert "response template" in caplog.text
    assert ResponseTemplate.of(Tokenizer(None)) is None


def told(written: str, size: int, prompt_end: str = "<bot>", *, with_tools: bool = True) -> list[tuple[str, Any]]:
    own = format_of("", set(), ResponseTemplate.of(Tokenizer(OWN)))
    parser = Parser.of_chat(own, prompt_end, StopStage(["END"]), {"f": PARAMETERS} if with_tools else {})
    parts = [part for start in range(0, len(written), size) for part in parser.feed(written[start : start + size])]
    joined: list[tuple[str, Any]] = []
    for part in [*parts, *parser.finish()]:
        if part.channel == "tool_call":
            call = json.loads(part.text)
            joined.append((part.channel, {**call, "arguments": json.loads(call["arguments"])}))
        elif joined and joined[-1][0] == part.channel:
            joined[-1] = (part.channel, joined[-1][1] + part.text)
        else:
            joined.append((part.channel, part.text))
    return joined


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("written", "parts"), [
    ("Hello", [("text", "Hello")]),
    ("  Hello  ", [("text", "  Hello  ")]),
    ("<mull>Hm.</mull>\n\nYes", [("reasoning", "Hm."), ("text", "Yes")]),
    (f"<mull>Hm.</mull>\nSo: {F}\n{F}\n", [("reasoning", "Hm."), ("text", "So:"), CALLED, CALLED]),
    (f"{F} Done.", [CALLED, ("text", "Done.")]),
    ("a < b <call", [("text", "a < b <call")]),
    (f"So ENDless {F}", [("text", "So ")]),
    ("", []),
])  # fmt: skip
def test_an_answer_is_told_apart_as_its_template_says(written: str, parts: list[tuple[str, Any]], size: int) -> None:
    assert told(written, size) == parts


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_reasoning_may_be_opened_by_the_prompt_and_calls_need_tools(size: int) -> None:
    assert told("Hm.</mull>Yes", size, "<user>hi<bot><mull>") == [("reasoning", "Hm."), ("text", "Yes")]
    assert told(f"So: {F}", size, with_tools=False) == [("text", f"So: {F}")]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_cannot_be_read_stays_text(size: int) -> None:
    fields = {"tool_calls": {"open": "<j>", "close": "</j>", "content": "json", "repeats": True}, "content": {}}
    broken = format_of("", set(), ResponseTemplate.of(Tokenizer({"start_anchor": "<bot>", "fields": fields})))
    parser = Parser.of_chat(broken, "<bot>", StopStage(), {"f": None})
    written = "So: <j>{broken</j> and <j>more</j>"
    parts = [part for start in range(0, len(written), size) for part in parser.feed(written[start : start + size])]
    assert "".join(part.text for part in [*parts, *parser.finish()]) == written
    assert {part.channel for part in parts} == {"text"}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_the_wire_has_no_field_for_is_text(size: int) -> None:
    notes = {"open": "<n>", "close": "</n>", "content": "json"}
    fields = {"notes": notes, "thinking": {"open": "<mull>", "close": "</mull>"}, "content": {"close": "<done>"}}
    noting = format_of("", set(), ResponseTemplate.of(Tokenizer({"start_anchor": "<bot>", "fields": fields})))
    parser = Parser.of_chat(noting, "<bot>", StopStage(), {})
    written = 'So <n>{"x": 1}</n>, done.<done>'
    parts = [part for start in range(0, len(written), size) for part in parser.feed(written[start : start + size])]
    assert "".join(part.text for part in [*parts, *parser.finish()]) == 'So {"x": 1}, done.'


@pytest.fixture(scope="module")
def own(models_folder: Path) -> ModelRef:
    """A model with marks of its own, which are special tokens."""
    pieces = ["<mull>", "Hm.", "</mull>", '<call name="f">', '<arg name="x">', "7", "</arg>", "</call>"]
    folder = make_reciting_model(models_folder / "own", pieces, {"<mull>", "</mull>", "</call>"}, "{# tools #}<bot>")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.response_template = OWN
    tokenizer.save_pretrained(folder)
    return ModelRef(str(folder))


def test_it_is_read_from_a_models_own_files(host: Any, own: ModelRef) -> None:
    tools = ({"type": "function", "function": {"name": "f", "parameters": PARAMETERS}},)
    asked = ({"role": "user", "content": "hi"},)
    pieces = host.generate(own, ChatPrompt(asked, tools), temperature=0).pieces()
    assert [(piece.channel, piece.text) for piece in pieces if piece.text] == [
        ("reasoning", "Hm."), ("tool_call", json.dumps({"name": "f", "arguments": '{"x": 7}'})),
    ]  # fmt: skip
    assert "reasoning" in host.load(own).last.model.features


def test_answers_that_are_held_to_a_format_need_none_of_it(host: Any, own: ModelRef) -> None:
    tools = ({"type": "function", "function": {"name": "f", "parameters": PARAMETERS}},)
    asked = ({"role": "user", "content": "hi"},)
    forced = host.generate(own, ChatPrompt(asked, tools, {}, ToolChoice(required=True)), max_tokens=60)
    assert forced.pieces()[0].channel == "tool_call"
    chosen = host.generate(own, ChatPrompt(asked), structure=Structure("choice", ("yes", "no")))
    assert chosen.text() in ("yes", "no")
