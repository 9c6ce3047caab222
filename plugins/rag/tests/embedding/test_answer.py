"""Answers of embedding models, the wrong ones among them."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from llamafarm.errors import UpstreamError
from llamafarm_rag.embedding.answer import vectors_of


def answer(*vectors):
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]}


def packed(*numbers):
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


def test_rows_come_in_the_order_of_the_texts_with_length_one():
    given = answer([3.0, 4.0], [0.0, 2.0])
    given["data"].reverse()
    rows = vectors_of(given, 2, "m")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 1.0]]


def test_numbers_may_be_base64_of_their_bytes():
    assert vectors_of(answer(packed(0, 5), [1, 0]), 2, "m").tolist() == [[0, 1], [1, 0]]


def test_the_largest_numbers_of_their_format_have_a_direction_too():
    assert vectors_of(answer([3e38, 3e38]), 1, "m")[0] == pytest.approx([0.7071, 0.7071], abs=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer([1.0]), "1 vectors for 2 texts"),
        ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, "2 vectors for 2 texts"),
        (answer([1.0], [1.0, 2.0]), r"several lengths: \[1, 2\]"),
        (answer([1.0], [0.0]), "no direction .* for 1 of 2 texts"),
        (answer([1.0], [float("nan")]), "no direction"),
        (answer([1.0], [float("inf")]), "no direction"),
        (answer([1.0], []), "holds no vectors"),
        (answer([1.0], ["a"]), "holds no vectors"),
        (answer([1.0], "x"), "holds no vectors"),
        (answer([1.0], packed(1.0)[:-3]), "holds no vectors"),
        (answer([1.0], [[1.0]]), "holds no vectors"),
        ({"data": None}, "holds no vectors"),
        ({}, "holds no vectors"),
    ],
)
def test_everything_else_is_refused(given, said):
    with pytest.raises(UpstreamError, match=f"m answered with .*{said}"):
        vectors_of(given, 2, "m")
