"""Passages that say the same again are left out."""

from __future__ import annotations

from llamafarm_rag.retrieval.candidates import Candidate
from llamafarm_rag.retrieval.repetition import distinct
from searched import passage


def kept(*rows):
    return [candidate.passage.id for candidate in distinct(Candidate(row, {"similarity": 1.0}) for row in rows)]


def test_the_better_one_of_two_with_one_text_stays():
    rows = [passage("Cows eat.", id="b"), passage("Cows eat.", id="a", file="x.md", start=5000, end=5009)]
    assert kept(*rows) == ["b"]


def test_neighbours_that_overlap_a_little_both_stay():
    assert kept(passage("one", id="a", start=0, end=1000), passage("two", id="b", start=900, end=1900)) == ["a", "b"]


def test_a_short_end_that_lies_within_its_neighbour_is_left_out():
    assert kept(passage("one", id="a", start=0, end=1000), passage("two", id="b", start=900, end=1050)) == ["a"]


def test_the_same_place_of_another_file_is_another_place():
    rows = [passage("one", id="a", start=0, end=9), passage("two", id="b", file="x.md", start=0, end=9)]
    assert kept(*rows) == ["a", "b"]


def test_empty_ranges_repeat_nothing():
    assert kept(passage("one", id="a", start=0, end=0), passage("two", id="b", start=0, end=0)) == ["a", "b"]
