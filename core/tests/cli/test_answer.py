"""What of an answer goes to stdout, and what is said about it on stderr."""

from __future__ import annotations

import json

import pytest
from llamafarm.cli.answer import Printer, print_trace, print_usage
from llamafarm.errors import UpstreamError
from llamafarm_kit.testing.scripted import ScriptedReply

pytestmark = pytest.mark.anyio


def completion(message: dict, reason: str = "stop") -> dict:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}


async def test_a_stream_is_printed_as_it_comes_and_ends_with_a_line_end(capsys):
    await Printer().stream(ScriptedReply("Hello there."))

    assert capsys.readouterr() == ("Hello there.\n", "")


async def test_an_error_in_the_middle_of_an_answer_begins_a_line_of_its_own(capsys):
    with pytest.raises(UpstreamError):
        await Printer().stream(ScriptedReply("Hello there.", error=UpstreamError("It broke off.", provider="x")))

    assert capsys.readouterr() == ("Hello there.\n", "")


def test_an_answer_that_was_cut_is_said_to_be(capsys):
    Printer().print(completion({"content": "Once upon"}, "length"))

    out, err = capsys.readouterr()
    assert out == "Once upon\n"
    assert "--max-tokens" in err


def test_an_empty_answer_is_said_to_be(capsys):
    Printer().print(completion({"content": ""}))

    assert capsys.readouterr() == ("", "The model answered with an empty text.\n")


def test_tool_calls_are_printed_as_json_lines(capsys):
    call = {"id": "c1", "type": "function", "function": {"name": "get_time", "arguments": '{"city": "Rome"}'}}

    Printer().print(completion({"content": None, "tool_calls": [call]}, "tool_calls"))

    shown = json.loads(capsys.readouterr().out)
    assert shown == {"tool_call": {"name": "get_time", "arguments": '{"city": "Rome"}'}}


def test_what_marks_stand_for_is_printed_beside_the_answer(capsys):
    heading = ["Setup", "Ports"]
    sources = [
        {"number": 1, "file": "guide.pdf", "page": 3, "heading": heading, "text": "Port 11540.", "cited": True},
        {"number": 2, "file": "other.md", "page": None, "heading": [], "text": "Cows.", "cited": False},
        {"number": 3, "file": "a\x1b[31m.md", "page": None, "heading": [], "text": "So.", "cited": True},
    ]
    Printer().print({**completion({"content": "11540 [1], so [3]."}), "sources": sources})
    out, err = capsys.readouterr()
    assert out == "11540 [1], so [3].\n"
    assert err == "[1] guide.pdf, page 3, Setup, Ports\n[3] a [31m.md\n"


def test_reasoning_is_not_part_of_the_answer(capsys):
    Printer().print(completion({"reasoning": "Let me think.", "content": "42"}))

    assert capsys.readouterr().out == "42\n"


def test_a_runtime_that_counts_no_tokens_is_said_to(capsys):
    print_usage(None)

    assert "did not say" in capsys.readouterr().err


async def test_streams_that_leave_things_out_are_printed_as_far_as_they_go(capsys):
    call = {"index": 0, "function": {"name": "f", "arguments": "{"}}
    printer = Printer()
    await printer.stream(
        ScriptedReply(
            chunks=[
                {},
                {"choices": None},
                {"choices": [{"delta": None}]},
                {"choices": [{"delta": {"content": [{"type": "text", "text": "So."}], "tool_calls": [call]}}]},
                {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": "}"}}]}}]},
                {"choices": [], "usage": {"prompt_tokens": 3}},
            ]
        )
    )
    print_usage(printer.whole.get("usage"))

    out, err = capsys.readouterr()
    assert out == 'So.\n{"tool_call": {"name": "f", "arguments": "{}"}}\n'
    assert err == "3 prompt tokens, ? answer tokens, ? in all\n"


def test_the_trace_of_a_turn_has_a_line_for_each_note(capsys):
    notes = [{"stage": "rag", "seconds": 0.25, "chunks": 3, "store": "a"}, {"stage": "provider", "seconds": 1.5}]

    print_trace(notes)

    assert capsys.readouterr() == ("", '   0.250 s  rag  chunks=3 store="a"\n   1.500 s  provider\n')
