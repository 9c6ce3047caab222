"""Chunks and answers as servers were seen to send them, and what everybody reads of them."""

from __future__ import annotations

import pytest
from llamafarm.wire.reading import ChunkReader, read_completion


def read(*chunks: dict) -> list[dict]:
    reader = ChunkReader()
    return [reader.read(chunk) for chunk in chunks]


def delta_of(delta: dict) -> dict:
    return read({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})[0]["choices"][0]["delta"]


def calls_of(*pieces: list[dict]) -> list[dict]:
    chunks = read(*({"choices": [{"index": 0, "delta": {"tool_calls": piece}}]} for piece in pieces))
    return [call for chunk in chunks for call in chunk["choices"][0]["delta"]["tool_calls"]]


def test_a_chunk_that_needs_no_change_comes_back_as_it_is():
    chunk = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}
    assert read(chunk)[0] is chunk


@pytest.mark.parametrize("chunk", [{}, {"choices": None}, {"choices": []}], ids=repr)
def test_a_chunk_without_choices_has_none(chunk):
    assert read({**chunk, "usage": {"total_tokens": 3}}) == [{"choices": [], "usage": {"total_tokens": 3}}]


@pytest.mark.parametrize("choice", [{}, {"delta": None}, {"index": None, "delta": {}}], ids=repr)
def test_a_choice_without_a_delta_or_a_number_has_an_empty_one_and_its_place(choice):
    assert read({"choices": [choice]})[0]["choices"][0] == {"index": 0, "delta": {}}


def test_an_empty_finish_reason_is_none():
    choices = read({"choices": [{"index": 0, "delta": {}, "finish_reason": ""}]})[0]["choices"]
    assert choices[0]["finish_reason"] is None


def test_a_text_completion_keeps_its_texts():
    chunk = {"object": "text_completion", "choices": [{"index": 0, "text": "a"}]}
    assert read(chunk)[0] is chunk


@pytest.mark.parametrize("choices", ["none", {"0": {}}, [3]], ids=repr)
def test_choices_that_are_none_are_an_error_and_not_silence(choices):
    with pytest.raises(ValueError, match="`choices` is not a list of objects"):
        read({"choices": choices})
    with pytest.raises(ValueError, match="`choices` is not a list of objects"):
        read_completion({"choices": choices})


def test_text_in_parts_is_the_answer_and_thinking_its_reasoning():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "thinking", "thinking": "."},
        {"type": "text", "text": "Yes"},
        "!",
    ]
    assert delta_of({"content": parts}) == {"content": "Yes!", "reasoning": "Hm."}
    answer = read_completion({"choices": [{"index": 0, "message": {"role": "assistant", "content": parts}}]})
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Yes!", "reasoning": "Hm."}


def test_a_tool_call_without_index_is_told_by_its_id_and_then_by_its_place():
    first = {"id": "a", "function": {"name": "f", "arguments": "{"}}
    second = {"id": "b", "function": {"name": "g", "arguments": "["}}
    more = calls_of(
        [first], [{"id": "a", "function": {"arguments": "}"}}], [second], [{"function": {"arguments": "]"}}]
    )
    assert [(call["index"], call["function"].get("arguments")) for call in more] == [
        (0, "{"),
        (0, "}"),
        (1, "["),
        (1, "]"),
    ]


def test_two_calls_at_once_are_continued_by_their_places():
    both = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}]
    rest = [{"function": {"arguments": "1"}}, {"function": {"arguments": "2"}}]
    assert [(call["index"], call["function"].get("arguments")) for call in calls_of(both, rest)][2:] == [
        (0, "1"),
        (1, "2"),
    ]


def test_a_name_that_is_repeated_in_each_piece_comes_once():
    piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}}
    assert [call["function"] for call in calls_of([piece], [piece])] == [
        {"name": "f", "arguments": "1"},
        {"arguments": "1"},
    ]


def test_arguments_that_are_an_object_become_a_json_text():
    (call,) = calls_of([{"index": 0, "function": {"name": "f", "arguments": {"city": "Köln"}}}])
    assert call["function"]["arguments"] == '{"city": "Köln"}'
    message = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"a": 1}}}]}
    answer = read_completion({"choices": [{"index": 0, "message": message}]})
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}


def test_a_whole_answer_that_needs_no_change_comes_back_as_it_is():
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}
    assert read_completion(answer) is answer
