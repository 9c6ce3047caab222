"""Nearest passages of which those are kept whose metadata fit: for filters that slow the database's own search."""

from __future__ import annotations

from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.retrieval.candidates import Candidate, similar
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query
from llamafarm_rag.store.base import Filter
from llamafarm_rag.store.filters import read_filter


class FilteringSearch:
    """Searches for `multiplier` times as many, and filters what comes."""

    def __init__(self, multiplier: int) -> None:
        self._multiplier = multiplier

    async def find(
        self, query: Query, depth: int, where: Filter | None, database: SearchableDatabase, journal: Journal
    ) -> list[Candidate]:
        """The nearest of those that fit, at most `depth`. Raises DatabaseError, and UsageError for a wrong filter."""
        condition = read_filter(where)
        matches = await journal.timed("nearest", database.nearest(query.vector, depth * self._multiplier, None))
        return similar(match for match in matches if condition is None or condition.fits(match.passage))[:depth]
