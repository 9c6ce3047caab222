"""Chunks put together give the answer that would have come whole."""

from __future__ import annotations

from llamafarm.providers.assemble import put_together, taken_apart


def whole(*chunks: dict) -> dict:
    return put_together(chunks)


def delta(index: int = 0, finish: str | None = None, **fields) -> dict:
    choice = {"index": index, "delta": fields, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice]}


def test_texts_are_continued_and_the_head_is_kept():
    answer = whole(delta(role="assistant", content=""), delta(content="a"), delta(content="b"), delta(finish="length"))
    assert answer == {
        "id": "c",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ab"}, "finish_reason": "length"}],
    }


def test_reasoning_and_unknown_texts_are_continued_too():
    answer = whole(delta(reasoning="x", extra="1"), delta(reasoning="y", extra="2"), delta(content="z", finish="stop"))
    message = answer["choices"][0]["message"]
    assert (message["reasoning"], message["extra"], message["content"]) == ("xy", "12", "z")


def test_tool_calls_come_in_pieces_and_side_by_side():
    def piece(index, **function):
        return {"index": index, "function": function}

    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    second = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    answer = whole(
        delta(role="assistant", content=None),
        delta(tool_calls=[first]),
        delta(tool_calls=[piece(0, arguments='{"a"')]),
        delta(tool_calls=[second, piece(0, arguments=": 1}")]),
        delta(finish="tool_calls"),
    )
    message = answer["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_choices_usage_and_logprobs_find_their_places():
    logprobs = [{"content": [{"token": "a"}]}, {"content": [{"token": "b"}]}]
    chunks = [delta(1, content="B"), delta(0, content="A"), delta(0, "stop"), delta(1, "length")]
    chunks[0]["choices"][0]["logprobs"], chunks[3]["choices"][0]["logprobs"] = logprobs
    answer = whole(*chunks, {"choices": [], "usage": {"total_tokens": 7}})
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["A", "B"]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop", "length"]
    assert answer["choices"][1]["logprobs"]["content"] == [{"token": "a"}, {"token": "b"}]
    assert answer["usage"] == {"total_tokens": 7}


def test_text_completions_keep_their_shape():
    chunks = [{"object": "text_completion", "choices": [{"index": 0, "text": text}]} for text in ("a", "b")]
    assert whole(*chunks) == {
        "object": "text_completion",
        "choices": [{"index": 0, "text": "ab", "finish_reason": None}],
    }


def test_an_answer_taken_apart_and_put_together_is_the_same():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answer = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 3}}
    assert whole(*taken_apart(answer, usage=True)) == answer
    text = {"object": "text_completion", "choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}
    assert whole(*taken_apart(text, usage=False)) == text


def test_what_two_handlers_say_beside_an_answer_stands_in_one_object():
    beside = ({"object": 1}, {"tool_calls": []})
    answer = whole(*({"choices": [], "llamafarm": fields} for fields in beside))
    assert answer["llamafarm"] == {"object": 1, "tool_calls": []}


def test_what_stands_beside_an_answer_comes_once_at_its_end():
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]
    answer = {"id": "c", "system_fingerprint": "f", "choices": choices, "llamafarm": {"object": 1}}
    head = {"id": "c", "system_fingerprint": "f", "object": "chat.completion.chunk"}
    *pieces, beside, last = taken_apart({**answer, "usage": {"total_tokens": 3}}, usage=True)
    assert beside == {**head, "choices": [], "llamafarm": {"object": 1}}
    assert last == {**head, "choices": [], "usage": {"total_tokens": 3}}
    assert len(pieces) == 2
    assert all(chunk.keys() == {*head, "choices"} for chunk in pieces)
