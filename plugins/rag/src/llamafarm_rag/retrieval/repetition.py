"""Passages that say the same again."""

from __future__ import annotations

from collections.abc import Iterable

from llamafarm_rag.database.passage import Passage
from llamafarm_rag.retrieval.candidates import Candidate

MOST_SHARED = 0.5
"""The share of the shorter of two passages of a file that the other may have, too; more is a repetition.

Chunks overlap by a few sentences so that none is cut from what it belongs to, and each has something of its own. A
short last chunk, or one of another cutting, may lie within another as a whole.
"""


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that say something new, in their order: of passages with one text, and of overlapping ones, the first."""
    kept: list[Candidate] = []
    texts: set[str] = set()
    by_file: dict[tuple[str, str], list[Passage]] = {}
    for candidate in candidates:
        passage = candidate.passage
        text = " ".join(passage.text.split())
        neighbours = by_file.setdefault((passage.dataset, passage.file), [])
        if text in texts or any(_shares_most(passage, other) for other in neighbours):
            continue
        kept.append(candidate)
        texts.add(text)
        neighbours.append(passage)
    return kept


def _shares_most(one: Passage, other: Passage) -> bool:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > MOST_SHARED * min(one.end - one.start, other.end - other.start)
