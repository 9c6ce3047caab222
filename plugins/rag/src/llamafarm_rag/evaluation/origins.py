"""Which search of a hybrid strategy found the right passage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llamafarm_rag.evaluation.finding import Finding
from llamafarm_rag.retrieval.candidates import NEAREST, WORDS
from llamafarm_rag.retrieval.result import Hit

Origin = Literal["both", "meaning", "words", "together"]


@dataclass(frozen=True)
class Origins:
    """Questions whose right passage is among the first k, by the searches that have it among their own first k.

    together: neither of them has it there; only the two together do.
    """

    both: int = 0
    meaning: int = 0
    words: int = 0
    together: int = 0


def origins_of(findings: Sequence[Finding], counts: Sequence[int]) -> dict[int, Origins] | None:
    """By k; None where no hit was looked for by words."""
    if not any(WORDS in hit.places for finding in findings for hit in finding.hits):
        return None
    return {count: _origins(findings, count) for count in counts}


def _origins(findings: Sequence[Finding], count: int) -> Origins:
    counted = Counter(origin_of(_right(finding), count) for finding in findings if finding.is_found(count))
    return Origins(counted["both"], counted["meaning"], counted["words"], counted["together"])


def _right(finding: Finding) -> Hit:
    """The first right passage."""
    assert finding.rank is not None, "it is found"
    return finding.hits[finding.rank - 1]


def origin_of(hit: Hit, count: int) -> Origin:
    """Which searches have a hit among their first `count`."""
    by_meaning, by_words = (hit.places.get(search, count + 1) <= count for search in (NEAREST, WORDS))
    if by_meaning and by_words:
        return "both"
    return "meaning" if by_meaning else "words" if by_words else "together"
