"""Passages that were found and may be used, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.retrieval.result import Hit

NEAREST = "nearest"
SIMILARITY = "similarity"
WORDS = "words"
FUSION = "fusion"
QUERIES = "queries"
RERANK = "rerank"
_DIGITS = 6
"""Scores that are alike to so many digits are equal: vectors of one text differ by rounding, batch by batch."""


@dataclass(frozen=True)
class Candidate:
    """A passage that was found.

    scores: by stage; `similarity` is always there. places: in what each search has found, `nearest` and `words`.
    """

    passage: Passage
    scores: Mapping[str, float]
    places: Mapping[str, int] = field(default_factory=dict)

    def scored(self, stage: str, score: float) -> Candidate:
        """The same, with the score of one more stage."""
        return replace(self, scores={**self.scores, stage: score})

    def placed(self, search: str, place: int) -> Candidate:
        """The same, found by one more search."""
        return replace(self, places={**self.places, search: place})

    @property
    def hit(self) -> Hit:
        """The same, as it is handed on."""
        score = self.scores.get(RERANK, self.scores[SIMILARITY])
        return Hit(self.passage, score, dict(self.scores), dict(self.places))


def similar(matches: Iterable[Match]) -> list[Candidate]:
    """What a search by vectors has found, in order."""
    found = ordered((Candidate(match.passage, {SIMILARITY: match.score}) for match in matches), SIMILARITY)
    return [each.placed(NEAREST, place) for place, each in enumerate(found, 1)]


def ordered(candidates: Iterable[Candidate], stage: str) -> list[Candidate]:
    """By the score of a stage, the highest first.

    Where scores are equal, by similarity, then by file and place in it, so that the order is the same at every search.
    """

    def key(candidate: Candidate) -> tuple[float, float, str, str, int, str]:
        passage, scores = candidate.passage, candidate.scores
        place = (passage.file, passage.dataset, passage.number, passage.id)
        return (-round(scores[stage], _DIGITS), -round(scores[SIMILARITY], _DIGITS), *place)

    return sorted(candidates, key=key)
