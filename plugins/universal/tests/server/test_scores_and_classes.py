"""Rerank, score, classify and named entities over HTTP, with a scripted engine host."""

from __future__ import annotations

import pytest

USAGE = {"prompt_tokens": 9, "total_tokens": 9}
MODEL = "echo/model"
REQUESTS = {
    "rerank": {"query": "cows", "documents": ["hay", {"text": "fuel", "id": 7}, "milk"]},
    "score": {"text_1": "cows", "text_2": ["hay", "fuel"]},
    "classify": {"input": ["hay", "fuel"]},
    "ner": {"input": "Adam eats hay."},
}


def ask(server, operation, **fields):
    return server.http.post(f"/v1/{operation}", json={"model": MODEL, **REQUESTS[operation], **fields})


def test_the_best_documents_come_first(shared):
    answer = ask(shared, "rerank").json()
    assert answer.pop("id").startswith("rerank-")
    assert answer == {
        "model": MODEL,
        "results": [{"index": at, "relevance_score": float(at)} for at in (2, 1, 0)],
        "method": "bi-encoder",
        "usage": USAGE,
    }


def test_as_many_documents_come_as_were_asked_for_with_their_texts(shared):
    assert ask(shared, "rerank", top_n=2, return_documents=True).json()["results"] == [
        {"index": 2, "relevance_score": 2.0, "document": {"text": "milk"}},
        {"index": 1, "relevance_score": 1.0, "document": {"text": "fuel"}},
    ]


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [("a", "b", 1), ("a", ["b", "c"], 2), (["a"], ["b", "c"], 2), (["a", "b"], ["c", "d"], 2)],
)
def test_one_text_is_compared_with_each_or_as_many_with_as_many(shared, first, second, count):
    answer = ask(shared, "score", text_1=first, text_2=second).json()
    assert answer["data"] == [{"object": "score", "index": at, "score": float(at)} for at in range(count)]
    assert (answer["method"], answer["usage"]) == ("bi-encoder", USAGE)


def test_a_class_comes_with_the_probability_of_each(shared):
    answer = ask(shared, "classify").json()
    assert answer.pop("id").startswith("classify-")
    row = {"label": "two", "probs": [0.0, 1.0], "labels": ["one", "two"], "num_classes": 2}
    data = [{"index": 0, **row}, {"index": 1, **row}]
    assert answer == {"object": "list", "model": MODEL, "data": data, "usage": USAGE}


def test_labels_of_ones_own_reach_the_host(shared):
    [row] = ask(shared, "classify", input="hay", candidate_labels=["feed", "fuel", "news"]).json()["data"]
    assert (row["label"], row["labels"], row["num_classes"]) == ("news", ["feed", "fuel", "news"], 3)


def test_names_come_with_their_text_and_place(shared):
    answer = ask(shared, "ner", aggregation_strategy="max").json()
    name = {"label": "max", "text": "Ada", "start": 0, "end": 3, "score": 0.5}
    assert answer == {"object": "list", "model": MODEL, "data": [{"index": 0, "entities": [name]}], "usage": USAGE}
    [row] = ask(shared, "ner").json()["data"]
    assert row["entities"][0]["label"] == "simple"


@pytest.mark.parametrize(("operation", "fields", "param"), [
    ("rerank", {"documents": []}, "documents"), ("rerank", {"documents": ["a", ""]}, "documents[1]"),
    ("rerank", {"documents": [{"body": "a"}]}, "documents[0].text"), ("rerank", {"top_n": 0}, "top_n"),
    ("rerank", {"query": ""}, "query"), ("rerank", {"documents": ["a"] * 2049}, "documents"),
    ("score", {"text_1": ["a", "b"], "text_2": ["c"]}, "text_2"), ("score", {"text_1": 1}, "text_1"),
    ("classify", {"input": [1]}, "input[0]"), ("classify", {"candidate_labels": []}, "candidate_labels"),
    ("classify", {"multi_label": "yes"}, "multi_label"), ("classify", {"top_k": 3}, "top_k"),
    ("ner", {"aggregation_strategy": "last"}, "aggregation_strategy"), ("ner", {"input": None}, "input"),
])  # fmt: skip
def test_a_wrong_field_is_named(shared, operation, fields, param):
    answer = ask(shared, operation, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("operation", REQUESTS)
def test_what_the_host_refuses_is_a_status(shared, operation):
    refused = ask(shared, operation, model="refuse/not_supported")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "operation_not_supported")


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_field_without_effect_is_named(shared, operation):
    assert ask(shared, operation, user="me").headers["x-lf-ignored"] == "user"
