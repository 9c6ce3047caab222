"""Calls in texts, however they are cut into pieces."""

from __future__ import annotations

import json

import pytest
from llamafarm_agents.tools.prompt_based.reader import CallReader

READ, ALL = '{"name": "read", "arguments": {}}', 10**9


def read(text: str, size: int) -> tuple[str, list[tuple[str, str]]]:
    """What is sent of a text, and the calls in it (name, arguments)."""
    reader = CallReader({"read"})
    sent = "".join(reader.read(text[at : at + size], last=False) for at in range(0, len(text), size))
    sent += reader.read("", last=True)
    return sent, [(call.name, call.arguments) for call in reader.calls]


@pytest.mark.parametrize("size", [1, 2, 3, 7, ALL])
@pytest.mark.parametrize(
    ("text", "sent", "calls"),
    [
        (f"I look.\n<tool_call>\n{READ}\n</tool_call>", "I look.\n", [("read", "{}")]),
        (f"<tool_call>{READ}</tool_call>\n<tool_call>{READ}</tool_call>", "", [("read", "{}")] * 2),
        (f"<tool_call>```json\n{READ}\n```\n</tool_call> It says: milk!", "", [("read", "{}")]),
        (f"<tool_call>{READ}", "", [("read", "{}")]),
        ('<tool_call>{"name": "raed", "arguments": "{}"}</tool_call>', "", [("raed", "{}")]),
        ('<tool_call>{"name": "read", "arguments": {"a": "</tool_call>}\\""}}</tool_call>', "",
         [("read", '{"a": "</tool_call>}\\""}')]),
        (f"So:\n```json\n{READ}\n```", "So:\n", [("read", "{}")]),
        (f"  {READ}\n{READ}", "", [("read", "{}")] * 2),
        (f"[{READ}, {READ}]", "", [("read", "{}")] * 2),
        ('{"name": "read", "parameters": {"a": [1, {}]}}', "", [("read", '{"a": [1, {}]}')]),
        ('{"tool_calls": [{"type": "function", "function": {"name": "read", "arguments": "{}"}}]}', "",
         [("read", "{}")]),
    ],
)  # fmt: skip
def test_a_call_is_read_however_models_write_it(text, sent, calls, size):
    assert read(text, size) == (sent, calls)


@pytest.mark.parametrize("size", [1, 3, ALL])
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "arguments": {}}',
        '{"name": "read"}',
        f"Write {READ} to read.",
        "```c\nint main()\n{\n  return a < b;\n}\n```",
        "<tool_call>nonsense</tool_call>",
        '<tool_call>{"name": "read", "argu',
        '<tool_call>{"name": read}</tool_call> and more',
        "a <tool",
        "```",
        "{",
    ],
)
def test_what_is_no_call_is_sent_as_it_is(text, size):
    assert read(text, size) == (text, [])


def test_text_goes_on_at_once_where_no_call_can_begin():
    reader = CallReader({"read"})
    assert [reader.read(piece, last=False) for piece in ("I ", "look", " a <", "b")] == ["I ", "look", " a ", "<b"]


@pytest.mark.parametrize("part", ["{ ", '{"name": [\n', "```\n", "<tool_call> ", '<tool_call>{"name":"x"} '])
def test_no_text_is_read_again_and_again(part):
    text = part * 3_000
    assert read(text, 4) == (text, [])


def test_long_arguments_in_small_pieces_are_read_once():
    arguments = json.dumps({"text": "one two " * 5_000})
    assert read(f'<tool_call>{{"name": "read", "arguments": {arguments}}}</tool_call>', 4) == (
        "",
        [("read", arguments)],
    )
