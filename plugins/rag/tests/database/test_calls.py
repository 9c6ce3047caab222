"""What travels between processes arrives as it was sent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from databases import IDENTITY, passages, record, vectors
from llamafarm.errors import LlamaFarmError, RequestError, UsageError
from llamafarm_rag.database.base import DatabaseStats
from llamafarm_rag.database.calls import CALLS, dump_error, load_error
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.errors import DatabaseError, DimensionMismatch

ODD = Passage(
    "ö",
    'a "quoted"\n\x00\ud7ff 人 text',
    "f",
    "d",
    0,
    0,
    1,
    3,
    ("Top", "Below"),
    {"whole": 1, "float": 1.0, "true": True, "text": "1", "big": 2**70, "infinite": math.inf},
)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("matching", ["text", 3, {"$or": [{"a": 1.5}, {"b": {"$in": ["x", True]}}]}]),
        ("matching", ["text", 3, None]),
        ("claim", [IDENTITY]),
        ("finish", [record("a.txt", 3), ["a", "b"]]),
        ("files", [None]),
        ("stats", []),
    ],
)
def test_arguments(name, arguments):
    call = CALLS[name]
    assert call.load_arguments(call.dump_arguments(arguments)) == arguments


def test_rows_and_vectors():
    call = CALLS["put"]
    rows, sent = [ODD, *passages("a", 2)], vectors(3)
    got, received, writer = call.load_arguments(call.dump_arguments([rows, sent, "w"]))
    assert (got, writer) == (rows, "w")
    assert [type(value) for value in got[0].metadata.values()] == [int, float, bool, str, int, float]
    assert received.dtype == np.float32
    assert received.tobytes() == sent.tobytes()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("nearest", [Match(ODD, 0.25)]),
        ("similarities", {"a": 0.5, "b": -1.0}),
        ("files", [record("a.txt", 1)]),
        ("stats", DatabaseStats(3, 1, {"docs": 3}, IDENTITY, None)),
        ("sources", ["/a"]),
        ("clear", None),
    ],
)
def test_answers(name, answer):
    call = CALLS[name]
    assert call.load_answer(call.dump_answer(answer)) == answer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"text": "a", "limit": "many", "where": null}'])
def test_a_body_that_does_not_fit_is_an_error(body):
    with pytest.raises(ValueError, match=r".+"):
        CALLS["matching"].load_arguments(body)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatabaseError("It is empty.", hint="Fill it.", code="database_empty"), DatabaseError),
        (DimensionMismatch("No.", hint="Do."), DimensionMismatch),
        (UsageError("No.", status=400, param="where"), UsageError),
        (RequestError("No."), UsageError),
        (LlamaFarmError("No."), LlamaFarmError),
    ],
)
def test_errors_are_raised_again_as_they_were(error: LlamaFarmError, kind: type[Any]):
    again = load_error(dump_error(error))
    assert type(again) is kind
    facts = ("message", "hint", "status", "code", "param")
    assert [getattr(again, fact) for fact in facts] == [getattr(error, fact) for fact in facts]
