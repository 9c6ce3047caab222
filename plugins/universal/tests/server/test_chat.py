"""Chat over HTTP, with a scripted engine host."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 2,
    "total_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def events(response: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in response.text.split("\n\n") if line.startswith("data: ")]


def chunks(response: httpx.Response) -> list[dict]:
    return [json.loads(event) for event in events(response) if event != "[DONE]"]


def shown(response: httpx.Response) -> dict:
    """The command that the host was sent, as it showed it."""
    return json.loads(response.json()["choices"][0]["message"]["content"])


def test_an_answer_in_one_piece_has_openais_shape(shared):
    answer = shared.chat("Hel|lo").json()
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == "echo/model"
    message = {"role": "assistant", "content": "Hello"}
    assert answer["choices"] == [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    assert answer["usage"] == USAGE


def test_a_stream_begins_with_the_role_and_ends_with_the_reason_and_done(shared):
    response = shared.chat("Hel|lo", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events(response)[-1] == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(response)]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}, {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks(response)] == [None, None, None, "stop"]
    assert not any("usage" in chunk for chunk in chunks(response))


def test_a_stream_ends_with_the_usage_where_it_is_asked_for(shared):
    *others, last = chunks(shared.chat("Hel|lo", stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert last["usage"] == USAGE
    assert all(chunk["usage"] is None for chunk in others)


def test_several_answers_keep_their_indexes(shared):
    answer = shared.chat("a|b", n=3).json()
    assert [(c["index"], c["message"]["content"]) for c in answer["choices"]] == [(0, "ab"), (1, "ab"), (2, "ab")]
    assert answer["usage"]["completion_tokens"] == 6
    streamed = chunks(shared.chat("a|b", n=3, stream=True))
    assert {c["choices"][0]["index"] for c in streamed if c["choices"][0]["finish_reason"]} == {0, 1, 2}


def test_an_answer_that_was_cut_off_says_length(shared):
    assert shared.chat("a|b|c", max_tokens=1).json()["choices"][0]["finish_reason"] == "length"


def test_the_official_client_reads_both_forms(shared):
    ask = {"model": "echo/model", "messages": [{"role": "user", "content": "Hel|lo"}]}
    assert shared.openai.chat.completions.create(**ask).choices[0].message.content == "Hello"
    stream = shared.openai.chat.completions.create(**ask, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello"


def test_sampling_reaches_the_host(shared):
    sampling = shown(
        shared.chat(
            "<show>", temperature=0.5, top_p=0.9, top_k=-1, min_p=0.1, seed=-3, stop="END", max_completion_tokens=99,
            presence_penalty=1, frequency_penalty=-1, repetition_penalty=1.2, logit_bias={"5": -100},
            typical_p=0.8, stop_token_ids=[5, 6], ignore_eos=True, min_tokens=3,
        )
    )["sampling"]  # fmt: skip
    assert sampling == {
        "max_tokens": 99, "temperature": 0.5, "top_p": 0.9, "top_k": 0, "min_p": 0.1, "repetition_penalty": 1.2,
        "presence_penalty": 1.0, "frequency_penalty": -1.0, "logit_bias": {"5": -100.0}, "stop": ["END"], "seed": -3,
        "logprobs": None, "typical_p": 0.8, "stop_token_ids": [5, 6], "ignore_eos": True, "min_tokens": 3,
    }  # fmt: skip


def test_what_is_not_given_is_left_to_the_model(shared):
    sampling = shown(shared.chat("<show>", temperature=None))["sampling"]
    given = {name: value for name, value in sampling.items() if value is not None}
    assert given == {"logit_bias": {}, "stop": [], "stop_token_ids": [], "ignore_eos": False}


def test_logprobs_come_with_their_tokens(shared):
    answer = shared.chat("a|b", logprobs=True, top_logprobs=2).json()
    first, second = answer["choices"][0]["logprobs"]["content"]
    assert (first["token"], first["logprob"], first["bytes"]) == ("a", -0.5, [97])
    assert [top["token"] for top in second["top_logprobs"]] == ["b", "x", r"bytes:\xf0\x9f"]
    assert second["top_logprobs"][2]["bytes"] == [0xF0, 0x9F]
    streamed = [c["choices"][0].get("logprobs") for c in chunks(shared.chat("a|b", logprobs=True, stream=True))]
    assert [entry["content"][0]["token"] for entry in streamed if entry] == ["a", "b"]


def test_advisory_fields_are_named_in_a_header(shared):
    assert shared.chat("a", user="me", store=True).headers["x-lf-ignored"] == "user, store"
    assert shared.chat("a", user="me", stream=True).headers["x-lf-ignored"] == "user"
    assert "x-lf-ignored" not in shared.chat("a").headers


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALL = '<call>{"name": "weather", "arguments": "{\\"city\\": \\"Köln\\"}"}'


def test_tool_calls_are_told_apart(shared):
    choice = shared.chat(f"Let me see.|{CALL}", tools=TOOLS).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Let me see."
    (call,) = choice["message"]["tool_calls"]
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Köln"}


def test_a_message_of_calls_alone_has_no_content(shared):
    assert shared.chat(CALL, tools=TOOLS).json()["choices"][0]["message"]["content"] is None


def test_tool_calls_stream_whole(shared):
    response = shared.chat(f"Hm.|{CALL}|{CALL}", tools=TOOLS, stream=True)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(response)]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [call["index"] for call in calls] == [0, 1]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hm."
    assert chunks(response)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_that_begins_with_a_call_says_its_role_there_and_has_no_text_before(shared):
    first, *others = [chunk["choices"][0]["delta"] for chunk in chunks(shared.chat(CALL, tools=TOOLS, stream=True))]
    assert (first["role"], first["content"]) == ("assistant", None)
    assert first["tool_calls"][0]["function"]["name"] == "weather"
    assert not any({"role", "content"} & delta.keys() for delta in others)


def test_one_that_begins_with_reasoning_has_no_text_before_it(shared):
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(shared.chat("<thought>So.|Yes", stream=True))]
    assert deltas == [{"role": "assistant", "content": None, "reasoning": "So."}, {"content": "Yes"}, {}]


def test_each_choice_of_a_stream_says_its_role_once(shared):
    streamed = [chunk["choices"][0] for chunk in chunks(shared.chat("a|b", n=3, stream=True))]
    assert [choice["index"] for choice in streamed if "role" in choice["delta"]] == [0, 1, 2]


def test_tools_are_rendered_unless_they_may_not_be_called(shared):
    assert shown(shared.chat("<show>", tools=TOOLS))["prompt"]["tools"] == TOOLS
    assert shown(shared.chat("<show>", tools=TOOLS, tool_choice="none"))["prompt"]["tools"] == []


def test_the_engine_is_told_whether_calls_may_be_parallel(shared):
    assert shown(shared.chat("<show>", tools=TOOLS, parallel_tool_calls=False))["parallel_tool_calls"] is False
    assert shown(shared.chat("<show>", tools=TOOLS))["parallel_tool_calls"] is True


def test_reasoning_is_told_apart(shared):
    message = shared.chat("<thought>So|<thought>.|Yes").json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "Yes", "reasoning": "So."}


def test_earlier_calls_reach_the_template_as_objects(shared):
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rom"}'}}]
    body = {
        "model": "echo/model",
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "assistant", "content": None, "refusal": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "<show>"}]},
        ],
    }
    messages = shown(shared.http.post("/v1/chat/completions", json=body))["prompt"]["messages"]
    assert messages[0] == {"role": "system", "content": "Be kind."}
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == {"city": "Rom"}
    assert messages[2] == {"role": "tool", "content": "<show>", "tool_call_id": "call_1"}


REFUSALS = {
    "context_length": (400, "context_length_exceeded"),
    "invalid_request": (400, None),
    "not_supported": (400, "operation_not_supported"),
    "model_not_found": (404, "model_not_found"),
    "load_failed": (500, "load_failed"),
    "out_of_memory": (503, "out_of_memory"),
    "busy": (429, "rate_limit_exceeded"),
    "too_late": (504, "deadline_passed"),
    "internal": (500, "internal_error"),
}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_host_refuses_is_a_status(shared, kind, stream):
    response = shared.chat("a", model=f"refuse/{kind}", stream=stream)
    status, code = REFUSALS[kind]
    assert response.status_code == status
    error = response.json()["error"]
    assert error["message"] == f"Refused as {kind}.\nDo this next."
    assert (error["code"], error["param"]) == (code, "messages")


def test_clients_do_not_repeat_what_fails_again(shared):
    assert shared.chat("a", model="refuse/load_failed").headers["x-should-retry"] == "false"
    assert shared.chat("a", model="refuse/busy").headers["retry-after"] == "2"


def test_a_failure_in_a_running_stream_is_one_event_and_the_end(shared):
    response = shared.chat("Hel|<fail>", stream=True)
    assert response.status_code == 200
    assert "[DONE]" not in response.text
    error = json.loads(events(response)[-1])["error"]
    assert error["message"] == "Memory ran out.\nUse a smaller model."
    assert error["code"] == "out_of_memory"


def test_the_official_client_raises_for_a_failure_in_a_stream(shared):
    ask = {"model": "echo/model", "messages": [{"role": "user", "content": "Hel|<fail>"}], "stream": True}
    with pytest.raises(openai.APIError, match="Memory ran out"):
        list(shared.openai.chat.completions.create(**ask))


def test_a_failure_in_an_answer_that_does_not_stream_is_a_status(shared):
    assert shared.chat("Hel|<fail>").status_code == 503


STRICT_TOOL = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"uniqueItems": True}}}
FILE = {"type": "file", "file": {"file_id": "cat"}}
WRONG = [
    ({"temperature": 2.1}, "temperature", "a number from 0 to 2"),
    ({"temperature": True}, "temperature", "not true"),
    ({"temperature": "hot"}, "temperature", "not 'hot'"),
    ({"max_tokens": -5}, "max_tokens", "at least 1, not -5"),
    ({"max_tokens": 10**400}, "max_tokens", f"below 2**64, not 1{'0' * 39}."),
    ({"max_tokens": 1.5}, "max_tokens", "whole number"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens", "mean the same"),
    ({"n": 17}, "n", "from 1 to 16"),
    ({"stop": ["a"] * 17}, "stop", "1 to 16 items"),
    ({"stop": ""}, "stop", "characters"),
    ({"top_logprobs": 3}, "top_logprobs", "needs 'logprobs'"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "from 0 to 20"),
    ({"logit_bias": {"word": 1}}, "logit_bias", "token ids"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", "-100 to 100"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "needs 'stream'"),
    ({"stream": True, "stream_options": {"usage": True}}, "stream_options.usage", "include_usage"),
    ({"max_token": 5}, "max_token", "Did you mean 'max_tokens'?"),
    ({"tool_choice": "required"}, "tool_choice", "no 'tools'"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "an object"),
    ({"tools": [STRICT_TOOL]}, "tools[0].function.parameters", "#/uniqueItems: `uniqueItems` cannot be enforced"),
    ({"reasoning_effort": "high"}, "reasoning_effort", "not supported"),
    ({"chat_template_kwargs": {"chat_template": "x"}}, "chat_template_kwargs.chat_template", "Unknown field"),
    ({"messages": []}, "messages", "not an empty list"),
    ({"messages": None}, "messages", "missing"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role", "'assistant'"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "not 5"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id", "missing"),
    ({"messages": [{"role": "user", "content": "a", "mood": "x"}]}, "messages[0].mood", "no field"),
    ({"messages": [{"role": "user", "content": [FILE]}]}, "messages[0].content[0]", "cannot be read"),
    ({"model": None}, "model", "missing"),
    ({"model": "a b"}, "model", "not a model id"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "says"), WRONG, ids=[f"{param}: {says}" for _, param, says in WRONG])
def test_a_wrong_field_is_named(shared, fields, param, says):
    body = {"model": "echo/model", "messages": [{"role": "user", "content": "a"}], **fields}
    response = shared.http.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("written", ["{city", "[1]", '{"a": 1, "a": 2}'])
def test_arguments_of_an_earlier_call_that_are_no_object_are_carried_on_as_text(shared, written):
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": written}}]
    messages = [{"role": "assistant", "tool_calls": calls}, {"role": "user", "content": "<show>"}]
    answer = shown(shared.http.post("/v1/chat/completions", json={"model": "echo/model", "messages": messages}))
    assert answer["prompt"]["messages"][0]["tool_calls"][0]["function"]["arguments"] == {"INVALID_JSON": written}


def test_an_empty_list_of_stops_and_obfuscation_ask_for_nothing(shared):
    answer = shared.chat("Hi", stop=[], stream=True, stream_options={"include_obfuscation": True})
    assert answer.status_code == 200


def test_values_that_ask_for_nothing_are_let_through(shared):
    fields = {"response_format": {"type": "text"}, "modalities": ["text"], "tools": [], "tool_choice": "auto"}
    assert shared.chat("a", **fields).status_code == 200
