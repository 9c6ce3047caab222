"""What can be asked of a database, whichever process holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.passage import Match
from llamafarm_rag.store.base import Filter


class SearchableDatabase(Protocol):
    """The part of a database that retrieval needs."""

    @property
    def options(self) -> DatabaseOptions:
        """What llamafarm.yaml says of it."""

    async def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None = None) -> list[Match]:
        """The passages nearest to `vector`, the nearest first; the score is the cosine similarity.

        Raises DatabaseError where the database is empty, broken, or has vectors of another length.
        """

    async def matching(self, text: str, limit: int, where: Filter | None = None) -> list[Match]:
        """The passages that share words with `text`, the best first; the score is BM25's. Raises DatabaseError."""

    async def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of `vector` and each of these passages."""
