"""Embeddings over HTTP, with a scripted engine host."""

from __future__ import annotations

import pytest


def embed(server, content, **fields):
    return server.http.post("/v1/embeddings", json={"model": "echo/model", "input": content, **fields})


def test_each_input_has_its_vector_and_the_tokens_are_counted(shared):
    assert embed(shared, ["a", "b"]).json() == {
        "object": "list",
        "model": "echo/model",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.0, 0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [1.0, 0.5, -1.0]},
        ],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


@pytest.mark.parametrize(("content", "count"), [("a", 1), ([1, 2], 1), ([[1], [2, 3]], 2), (["a"] * 2048, 2048)])
def test_an_input_is_a_text_or_token_ids_or_several(shared, content, count):
    assert len(embed(shared, content).json()["data"]) == count


def test_base64_holds_the_same_numbers(shared):
    assert embed(shared, "a", encoding_format="base64").json()["data"][0]["embedding"] == "AAAAAAAAAD8AAIC/"


def test_the_official_client_reads_both_formats(shared):
    create = shared.openai.embeddings.create
    assert create(model="echo/model", input="a").data[0].embedding == [0.0, 0.5, -1.0]  # it asks for base64
    assert create(model="echo/model", input="a", encoding_format="float").data[0].embedding == [0.0, 0.5, -1.0]


def test_dimensions_reach_the_host(shared):
    assert embed(shared, "a", dimensions=2).json()["data"][0]["embedding"] == [0.0, 0.5]


@pytest.mark.parametrize(("fields", "param"), [
    ({"input": ""}, "input"), ({"input": []}, "input"), ({"input": ["a", ""]}, "input[1]"), ({"input": None}, "input"),
    ({"input": ["a"] * 2049}, "input"), ({"dimensions": 0}, "dimensions"),
    ({"input_type": "passage"}, "input_type"),
    ({"encoding_format": "int8"}, "encoding_format"), ({"inputs": "a"}, "inputs"),
])  # fmt: skip
def test_a_wrong_field_is_named(shared, fields, param):
    response = shared.http.post("/v1/embeddings", json={"model": "echo/model", "input": "a", **fields})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_what_the_host_refuses_is_a_status(shared):
    assert embed(shared, "a", model="refuse/not_supported").json()["error"]["code"] == "operation_not_supported"
