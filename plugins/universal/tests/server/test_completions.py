"""Text completions over HTTP, with a scripted engine host."""

from __future__ import annotations

import json

import pytest


def complete(server, prompt, **fields):
    return server.http.post("/v1/completions", json={"model": "echo/model", "prompt": prompt, **fields})


def events(response):
    return [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]


def test_a_prompt_is_continued(shared):
    answer = complete(shared, "a|b").json()
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [{"index": 0, "text": "ab", "finish_reason": "stop", "logprobs": None}]
    counts = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert answer["usage"] == {**counts, "prompt_tokens_details": {"cached_tokens": 4}}


def test_several_prompts_are_answered_in_order(shared):
    answer = complete(shared, ["a", "b|c"], n=2).json()
    assert [(c["index"], c["text"]) for c in answer["choices"]] == [(0, "a"), (1, "a"), (2, "bc"), (3, "bc")]
    counts = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20}
    assert answer["usage"] == {**counts, "prompt_tokens_details": {"cached_tokens": 8}}, "each prompt counts once"


@pytest.mark.parametrize(("prompt", "heard"), [([5, 6], ["(5, 6)"]), ([[5], [6]], ["(5,)", "(6,)"])])
def test_token_ids_are_a_prompt_too(shared, prompt, heard):
    assert [choice["text"] for choice in complete(shared, prompt).json()["choices"]] == heard


def test_a_stream_has_the_same_shape(shared):
    *chunks, done = events(complete(shared, "a|b", stream=True, stream_options={"include_usage": True}))
    assert done == "[DONE]"
    *pieces, usage = [json.loads(chunk) for chunk in chunks]
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == "ab"
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 9)
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}


def test_sixteen_tokens_are_the_default(shared):
    sampling = json.loads(complete(shared, "<show>").json()["choices"][0]["text"])["sampling"]
    assert sampling["max_tokens"] == 16


def test_each_prompt_has_seeds_of_its_own(shared):
    answers = complete(shared, ["<show>", "<show>"], seed=5, n=2).json()["choices"]
    assert [json.loads(answer["text"])["sampling"]["seed"] for answer in answers] == [5, 5, 7, 7]


def test_logprobs_are_parallel_lists(shared):
    assert complete(shared, "ab|c", logprobs=2).json()["choices"][0]["logprobs"] == {
        "tokens": ["ab", "c"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [
            {"ab": -0.5, "x": -1.0, r"bytes:\xf0\x9f": -2.0},
            {"c": -0.5, "x": -1.0, r"bytes:\xf0\x9f": -2.0},
        ],
        "text_offset": [0, 2],
    }


def test_the_official_client_reads_it(shared):
    assert shared.openai.completions.create(model="echo/model", prompt="a|b").choices[0].text == "ab"
    stream = shared.openai.completions.create(model="echo/model", prompt="a|b", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "ab"


@pytest.mark.parametrize(("fields", "param"), [
    ({"echo": True}, "echo"), ({"suffix": "x"}, "suffix"), ({"best_of": 2, "n": 3}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"), ({"best_of": 17}, "best_of"), ({"prompt": ""}, "prompt"),
    ({"prompt": ["a", ""]}, "prompt[1]"), ({"prompt": []}, "prompt"), ({"prompt": [[1], ["a"]]}, "prompt[1]"),
    ({"prompt": [-1]}, "prompt"), ({"prompt": ["a"] * 16, "n": 16}, "n"), ({"messages": []}, "messages"),
])  # fmt: skip
def test_a_wrong_field_is_named(shared, fields, param):
    response = shared.http.post("/v1/completions", json={"model": "echo/model", "prompt": "a", **fields})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_values_that_ask_for_nothing_are_let_through(shared):
    assert complete(shared, "a", echo=False, suffix=None, best_of=1, user="me").headers["x-lf-ignored"] == "user"


def test_the_best_of_several_come_back(shared):
    answer = complete(shared, ["<index>|a", "b"], best_of=3, n=2).json()
    assert [(c["index"], c["text"]) for c in answer["choices"]] == [(0, "1a"), (1, "0a"), (2, "b"), (3, "b")]
    assert {choice["logprobs"] for choice in answer["choices"]} == {None}, "they were not asked for"
    assert answer["usage"]["completion_tokens"] == 3 * 2 + 3 * 1, "those that do not come back were made too"
    assert complete(shared, "<index>", best_of=2, logprobs=0).json()["choices"][0]["logprobs"]["tokens"] == ["1"]


def test_as_many_as_come_back_can_be_streamed(shared):
    *chunks, _ = events(complete(shared, "a", best_of=2, n=2, stream=True))
    assert sorted(json.loads(chunk)["choices"][0]["text"] for chunk in chunks) == ["", "", "a", "a"]


def test_one_refused_prompt_refuses_the_request(shared):
    response = complete(shared, ["a", "b"], model="refuse/context_length")
    assert response.status_code == 400
