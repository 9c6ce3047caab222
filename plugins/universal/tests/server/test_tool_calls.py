"""Reading tool calls and reasoning out of text that comes in pieces."""

from __future__ import annotations

import json

import pytest
from llamafarm_universal.server.parts import Call, Reasoning, Text
from llamafarm_universal.server.reasoning import ReasoningParser
from llamafarm_universal.server.tool_calls import ToolCallParser

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
NO_OBJECT = '<tool_call>{"name": "f", "arguments": 5}</tool_call>'
F = Call("f", '{"x": 1}')


def read(parser, text, size):
    """The parts of a text that comes in pieces of `size`, texts joined."""
    parts = []
    for start in range(0, len(text), size):
        parts += parser.feed(text[start : start + size])
    parts += parser.finish()
    joined = []
    for part in parts:
        if joined and type(joined[-1]) is type(part) and not isinstance(part, Call):
            part = type(part)(joined.pop().text + part.text)
        joined.append(part)
    return joined


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("text", "parts"), [
    ("", []),
    ("Hello.  ", [Text("Hello.  ")]),
    (CALL, [F]),
    (f"Let me see.\n{CALL}", [Text("Let me see."), F]),
    (f"{CALL}\n{CALL}\n", [F, F]),
    (f"{CALL}\n\nDone.", [F, Text("Done.")]),
    ("a < b <tool", [Text("a < b <tool")]),
    ("<tool_call>{broken</tool_call> so", [Text("<tool_call>{broken</tool_call> so")]),
    ("<tool_call>[1]</tool_call>", [Text("<tool_call>[1]</tool_call>")]),
    ('<tool_call>{"name": ""}</tool_call>', [Text('<tool_call>{"name": ""}</tool_call>')]),
    (NO_OBJECT, [Text(NO_OBJECT)]),
    ('<tool_call>{"name": "f"}</tool_call>', [Call("f", "{}")]),
    ('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>', [F]),
    ('<tool_call>{"name": "f", "arguments": {"x": 1}}', [F]),
    ('<tool_call>{"name": "f", "argum', [Text('<tool_call>{"name": "f", "argum')]),
    ('<tool_call>{"name": "f", "arguments": {"x": "</tool_call>"}}</tool_call>', [Call("f", '{"x": "</tool_call>"}')]),
    ('<tool_call>{"name": "f", "arguments": {"x": "ü"}}</tool_call>', [Call("f", '{"x": "ü"}')]),
])  # fmt: skip
def test_calls_are_told_from_text_wherever_the_pieces_are_cut(text, parts, size):
    assert read(ToolCallParser(), text, size) == parts


def test_text_is_passed_on_as_soon_as_it_cannot_be_a_call():
    parser = ToolCallParser()
    assert parser.feed("Hello") == [Text("Hello")]
    assert parser.feed(" <") == []
    assert parser.feed("3") == [Text(" <3")]


def test_a_call_comes_out_when_it_is_complete():
    parser = ToolCallParser()
    assert parser.feed(CALL[:-1]) == []
    assert parser.feed(CALL[-1:]) == [F]


def test_deep_nesting_stays_text():
    text = "<tool_call>" + "[" * 200_000 + "</tool_call>"
    assert read(ToolCallParser(), text, len(text)) == [Text(text)]


def test_arguments_are_a_json_text():
    assert json.loads(F.arguments) == {"x": 1}


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(("text", "parts"), [
    ("Hello", [Text("Hello")]),
    ("  Hello", [Text("  Hello")]),
    ("<think>\nHm.\n</think>\n\nYes", [Reasoning("Hm.\n"), Text("Yes")]),
    ("\n<think>Hm</think>Yes", [Reasoning("Hm"), Text("Yes")]),
    ("<think></think>Yes", [Text("Yes")]),
    ("<think>Hm", [Reasoning("Hm")]),
    ("<think>Hm</thi", [Reasoning("Hm</thi")]),
    ("<thin", [Text("<thin")]),
    ("<b>x", [Text("<b>x")]),
    ("Use <think>x</think>", [Text("Use <think>x</think>")]),
])  # fmt: skip
def test_reasoning_is_what_stands_between_its_marks_at_the_beginning(text, parts, size):
    assert read(ReasoningParser(), text, size) == parts
