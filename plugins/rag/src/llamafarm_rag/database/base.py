"""What can be asked of a database, whichever process holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.store.base import Filter


@dataclass(frozen=True)
class EmbedderIdentity:
    """Which model the vectors of a database come from.

    strategy: the name of the embedding strategy. model: `provider:model@revision`, whatever would give other vectors.
    dimension: how long they are.
    """

    strategy: str
    model: str
    dimension: int


@dataclass(frozen=True)
class FileRecord:
    """A file of a dataset whose passages are all in the database.

    path: the whole path, which tells it from others of the dataset. shown: how users see it, relative to the project.
    content: a hash of its bytes. cut: a hash of how it was read, cut and embedded; where content or cut differ, it is
    done again. size: bytes. done: when, in seconds since 1970.
    """

    dataset: str
    path: str
    shown: str
    content: str
    cut: str
    size: int
    chunks: int
    done: float


@dataclass(frozen=True)
class DatabaseStats:
    """How large a database is. datasets: the passages of each. bytes: on this disk."""

    passages: int
    files: int
    datasets: dict[str, int]
    embedder: EmbedderIdentity | None
    bytes: int | None


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
        """The passages that share words with `text`, the best first. Raises DatabaseError.

        The score is BM25's as a share, from 0 to 1, of what a passage of usual length has that has each word of `text`
        once, those included that no passage has. So it tells a passage that has what is rare in the text from one that
        has what every text has.
        """

    async def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of `vector` and each of these passages."""


class Database(SearchableDatabase, Protocol):
    """All of it. Whoever opened it closes it. Every operation may be done twice with the same outcome as once."""

    async def prepare(self) -> None:
        """Open what searches need, which they else do themselves: the rest is told and done without it.

        Raises DatabaseError where it cannot be opened.
        """

    async def claim(self, identity: EmbedderIdentity) -> None:
        """Say which model the vectors that follow come from.

        Raises DatabaseError where the database has others, DimensionMismatch where their lengths differ; both say how
        to rebuild it.
        """

    async def files(self, dataset: str | None = None) -> list[FileRecord]:
        """The files that are done, of one dataset or of all."""

    async def put(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Keep passages of a file that is not done yet. Until `finish` no search finds them for sure, nor never."""

    async def finish(self, record: FileRecord, ids: Sequence[str]) -> None:
        """The file is done: exactly these passages are its own, and those that it had before are gone."""

    async def remove(self, dataset: str, path: str) -> None:
        """Forget a file and its passages; one that is not there is no error."""

    async def clear(self) -> None:
        """Forget all passages, files and the embedder's identity; sources of datasets stay."""

    async def sources(self, dataset: str) -> list[str]:
        """The files, folders and patterns that `lf datasets add` named, as whole paths."""

    async def set_sources(self, dataset: str, sources: Sequence[str]) -> None:
        """Replace them."""

    async def stats(self) -> DatabaseStats:
        """How large it is."""

    async def aclose(self) -> None:
        """Let another process have it; twice does nothing."""
