"""A search for one query: the contract of every kind."""

from __future__ import annotations

from typing import Protocol

from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.retrieval.candidates import Candidate
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query
from llamafarm_rag.store.base import Filter


class Search(Protocol):
    """A kind of search, with its options."""

    async def find(
        self, query: Query, depth: int, where: Filter | None, database: SearchableDatabase, journal: Journal
    ) -> list[Candidate]:
        """The best passages for a query, the best first.

        depth: how many each index is asked for; fewer than that many come back only where there are no more. Raises
        DatabaseError.
        """
