"""Filters mean here what they mean in Chroma."""

from __future__ import annotations

import chromadb
import pytest
from llamafarm.errors import RequestError
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.retrieval.fitting import check_filter, fits

VALUES = [1, 2, 2.5, "1", "Ann", True, None]


def passage(value=None, **more):
    return Passage("i", "text", "a.md", "docs", 0, 0, 4, **more, metadata={} if value is None else {"k": value})


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(tmp_path_factory.mktemp("chroma")), settings=settings)
    made = client.create_collection("filters", embedding_function=None)
    metadata = [{"z": 1} if value is None else {"k": value} for value in VALUES]
    ids = list(map(str, range(len(VALUES))))
    made.add(ids=ids, embeddings=[[1.0]] * len(ids), documents=ids, metadatas=metadata)
    yield made
    client.close()


@pytest.mark.parametrize(
    "where",
    [
        {"k": 1}, {"k": "1"}, {"k": True}, {"k": {"$ne": 1}}, {"k": {"$gt": 1}}, {"k": {"$gte": 2}},
        {"k": {"$lt": 2}}, {"k": {"$lte": 2.5}}, {"k": {"$in": [1, 2]}}, {"k": {"$in": ["1", "Ann"]}},
        {"k": {"$nin": [1, 2]}}, {"$or": [{"k": 1}, {"k": "Ann"}]}, {"$and": [{"k": {"$gt": 0}}, {"k": {"$lt": 2}}]},
    ],
)  # fmt: skip
def test_the_same_passages_fit_as_in_chroma(collection, where):
    check_filter(where)
    mine = [str(number) for number, value in enumerate(VALUES) if fits(passage(value), where)]
    assert mine == collection.get(where=where)["ids"]


def test_several_keys_and_operators_hold_together():
    assert fits(passage(3, page=2), {"k": {"$gt": 1, "$lt": 5}, "page": 2})
    assert not fits(passage(3, page=1), {"k": {"$gt": 1, "$lt": 5}, "page": 2})


@pytest.mark.parametrize("where", [{"file": "a.md"}, {"dataset": "docs"}, {"page": {"$gte": 7}}])
def test_a_passage_is_asked_for_its_own_place_too(where):
    assert fits(passage(page=7), where)


def test_an_empty_filter_fits_all():
    check_filter({})
    assert fits(passage(), {})


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"k": {"$near": 1}}, "no operator `\\$near`"),
        ({"$not": [{"k": 1}]}, "there is no `\\$not`"),
        ({"$or": []}, "takes a list of filters"),
        ({"$and": {"k": 1}}, "takes a list of filters"),
        ({"$or": [{"k": {"$in": 1}}]}, "takes a list of values"),
        ({"k": [1, 2]}, "compared with a text"),
        ({"k": {"$gt": None}}, "takes one value"),
    ],
)
def test_a_filter_that_cannot_be_read_says_what_there_is(where, said):
    with pytest.raises(RequestError, match=f"(?s){said}.*Operators: .eq"):
        check_filter(where)
