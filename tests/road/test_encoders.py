"""Texts in, numbers out, through the whole road: `lf`, the API, and a real model of the Universal Runtime."""

from __future__ import annotations

import json

import httpx
from farms import Farm

NOTES = ["A tractor needs fuel.", "Cows eat hay in winter.", "Bond yields fell on Monday."]
QUERY = "What do cattle feed on?"


def test_the_note_that_fits_best_comes_first(shared: Farm) -> None:
    done = shared.lf("rerank", QUERY, *NOTES, "--model", "minilm", "--top-n", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].endswith(NOTES[1])
    answer = json.loads(shared.lf("rerank", QUERY, *NOTES, "--model", "minilm", "--json").stdout)
    assert (answer["method"], answer["results"][0]["index"]) == ("bi-encoder", 1)


def test_the_api_gives_the_same_order(api: str, shared: Farm) -> None:
    body = {"model": "minilm", "query": QUERY, "documents": NOTES, "return_documents": True}
    ranked = httpx.post(f"{api}/v1/rerank", json=body, timeout=60).json()["results"]
    assert ranked[0]["document"] == {"text": NOTES[1]}
    pairs = {"model": "minilm", "text_1": QUERY, "text_2": NOTES}
    scores = [row["score"] for row in httpx.post(f"{api}/v1/score", json=pairs, timeout=60).json()["data"]]
    assert sorted(scores, reverse=True) == [row["relevance_score"] for row in ranked]


def test_a_text_file_becomes_vectors(shared: Farm) -> None:
    done = shared.lf("embed", "--model", "minilm", "--json", "--query", stdin="\n".join(NOTES))
    assert [len(row["embedding"]) for row in json.loads(done.stdout)["data"]] == [384] * 3


def test_a_model_that_cannot_do_it_says_what_it_can(shared: Farm) -> None:
    done = shared.lf("ner", "Ada wrote it.", "--model", "minilm")
    assert done.returncode == 1
    assert "loaded for the task `embedding`: it cannot do `ner`, only `embeddings`," in done.stderr


def test_the_model_that_can_do_it_is_asked_where_none_is_named(shared: Farm) -> None:
    done = shared.lf("rerank", QUERY, *NOTES, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["method"] == "bi-encoder"
