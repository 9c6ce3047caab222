"""Calls told while they are written."""

from __future__ import annotations

import json

import pytest
from llamafarm_universal.host.engines.text.parse import Format, Parser
from llamafarm_universal.host.engines.text.parse.formats import HERMES, LLAMA, MISTRAL, THINK
from llamafarm_universal.host.engines.text.parse.json_text import JsonEnd
from llamafarm_universal.host.engines.text.stop import StopStage

TOOLS = {"f": None, "g": None}
BEGUN = '{"name": "f", "arguments": ""}'
G_BEGUN = '{"name": "g", "arguments": ""}'


def parts(*pieces: str, calls: object = HERMES) -> list[tuple[str, str]]:
    parser = Parser.of_chat(Format(THINK, calls), "", StopStage(), TOOLS, streams=True)  # type: ignore[arg-type]
    found = [part for piece in pieces for part in parser.feed(piece)]
    return [(part.channel, part.text) for part in [*found, *parser.finish()]]


def test_arguments_come_as_they_are_written() -> None:
    written = [
        "Hm. <tool",
        '_call>\n{"name": "f", ',
        '"arguments": ',
        '{"x": "',
        "}\\",
        '"{"',
        "}",
        "}\n</tool_",
        "call>\n",
    ]
    told = [("text", "Hm."), ("tool_call", BEGUN)]
    assert parts(*written) == [*told, *(("arguments", text) for text in ('{"x": "', "}\\", '"{"', "}"))]


def test_text_may_follow_and_so_may_further_calls() -> None:
    f = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    called = [("tool_call", BEGUN), ("arguments", "{}")]
    assert parts(f"{f}\n{f} Done.") == [*called, *called, ("text", "Done.")]


def test_several_calls_stand_behind_one_mark() -> None:
    written = '[TOOL_CALLS] [{"name": "f", "arguments": {"x": [1]}}, {"name": "g", "arguments": {}}]'
    told = [("tool_call", BEGUN), ("arguments", '{"x": [1]}'), ("tool_call", G_BEGUN), ("arguments", "{}")]
    assert parts(written, calls=MISTRAL) == told
    written = '{"name": "f", "parameters": {"x": [1]}}; {"name": "g", "parameters": {}}'
    assert parts(written, calls=LLAMA) == told


@pytest.mark.parametrize(
    "written", ["<tool_call>", '<tool_call>\n{"name": "f', '<tool_call>{"name": "f", "arguments":']
)
def test_an_answer_cut_off_before_its_arguments_is_no_call_and_no_text(written: str) -> None:
    assert parts(written) == []
    assert parts(f"So: {written}") == [("text", "So:")]


def test_one_cut_off_within_them_leaves_what_has_come() -> None:
    assert parts('<tool_call>{"name": "f", "arguments": {"x": ') == [("tool_call", BEGUN), ("arguments", '{"x": ')]


def test_names_are_read_as_json() -> None:
    name = 'a"b\\ü'
    written = f'<tool_call>{{"name": {json.dumps(name)}, "arguments": {{}}}}</tool_call>'
    assert json.loads(parts(written)[0][1])["name"] == name


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_end_of_a_json_value_is_found_wherever_it_is_cut(size: int) -> None:
    value = '{"a": "}]\\"\\\\", "b": [{"c": "{["}]}'
    end, found = JsonEnd(), None
    text = value + '}, {"d": 1}'
    for start in range(0, len(text), size):
        if (at := end.find(text[start : start + size])) is not None:
            found = start + at
            break
    assert found == len(value)
