"""The passages whose vectors are nearest to the question's."""

from __future__ import annotations

from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.retrieval.candidates import Candidate, similar
from llamafarm_rag.retrieval.journal import Journal
from llamafarm_rag.retrieval.question import Query
from llamafarm_rag.store.base import Filter


class SimilaritySearch:
    """By meaning alone; the database filters."""

    async def find(
        self, query: Query, depth: int, where: Filter | None, database: SearchableDatabase, journal: Journal
    ) -> list[Candidate]:
        """The nearest `depth` passages. Raises DatabaseError."""
        return similar(await journal.timed("nearest", database.nearest(query.vector, depth, where)))
