"""Reciprocal rank fusion."""

from __future__ import annotations

import pytest
from llamafarm_rag.retrieval.fusion import fused


def test_what_two_rankings_have_near_the_top_beats_what_one_has_first():
    scores = fused([["a", "b", "c"], ["d", "b", "a"]], [1, 1])
    assert sorted(scores, key=scores.__getitem__, reverse=True) == ["a", "b", "d", "c"]
    assert scores["d"] == pytest.approx(1 / 61)
    assert scores["b"] == pytest.approx(2 / 62)


def test_a_ranking_counts_by_its_weight():
    assert fused([["a"], ["b"]], [0.5, 2], 9) == {"a": 0.05, "b": 0.2}


def test_no_rankings_are_no_scores():
    assert fused([[], []], [1, 1]) == {}
