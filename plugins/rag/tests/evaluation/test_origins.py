"""Which search found the right passage."""

from __future__ import annotations

from llamafarm_rag.evaluation.origins import Origins, origins_of
from made import finding, hit


def test_a_passage_comes_from_the_searches_that_have_it_as_early():
    findings = [
        finding([hit("a.md", nearest=1, words=1)]),
        finding([hit("x.md"), hit("a.md", nearest=2)]),
        finding([hit("a.md", nearest=9, words=1)]),
        finding([hit("a.md", nearest=4, words=5)]),
        finding([hit("x.md", nearest=1, words=1)]),
    ]
    assert origins_of(findings, (1, 3, 5)) == {
        1: Origins(both=1, words=1, together=1),
        3: Origins(both=1, meaning=1, words=1, together=1),
        5: Origins(both=2, meaning=1, words=1),
    }


def test_a_strategy_that_searches_by_meaning_alone_has_none():
    assert origins_of([finding([hit("a.md", nearest=1)])], (1,)) is None
