"""Scores of rerankers, whatever they measure, as numbers from 0 to 1."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llamafarm_rag.retrieval.reranking import shares


def test_probabilities_stay_as_they_are():
    assert shares([0.93, 0.02, 1.0, 0.0], "auto") == [0.93, 0.02, 1.0, 0.0]


def test_cosines_below_0_are_0():
    assert shares([0.7, -0.1], "auto") == [0.7, 0.0]


def test_logits_become_probabilities():
    assert shares([4.0, 0.0, -11.3], "auto") == pytest.approx([0.982, 0.5, 0.0000124], abs=0.001)


def test_logits_of_a_narrow_range_are_read_as_the_strategy_says():
    assert shares([0.4, -0.2], "logit") == pytest.approx([0.599, 0.450], abs=0.001)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(["auto", "logit", "cosine"]))
def test_shares_are_from_0_to_1_and_in_the_order_of_the_scores(scores, scale):
    found = shares(scores, scale)
    assert all(0 <= share <= 1 for share in found)
    order = sorted(range(len(scores)), key=scores.__getitem__)
    assert all(found[a] <= found[b] for a, b in pairwise(order))
