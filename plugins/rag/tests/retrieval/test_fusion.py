"""Reciprocal rank fusion."""

from __future__ import annotations

import pytest
from llamafarm_rag.retrieval.fusion import fused


def ranking(*ids, weight=1.0):
    return dict.fromkeys(ids, weight)


def test_what_two_rankings_have_near_the_top_beats_what_one_has_first():
    scores = fused([ranking("a", "b", "c"), ranking("d", "b", "a")])
    assert sorted(scores, key=scores.__getitem__, reverse=True) == ["a", "b", "d", "c"]
    assert scores["d"] == pytest.approx(1 / 11)
    assert scores["b"] == pytest.approx(2 / 12)


def test_an_id_counts_by_its_weight_in_a_ranking():
    assert fused([ranking("a", weight=0.5), {"b": 2, "a": 1}], 9) == {"a": 0.05 + 1 / 11, "b": 0.2}


def test_no_rankings_are_no_scores():
    assert fused([{}, {}]) == {}
