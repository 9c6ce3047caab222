"""A database as the rest of this process uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.base import DatabaseStats, EmbedderIdentity, FileRecord
from llamafarm_rag.database.holding import Holding
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.database.writers import new_writer
from llamafarm_rag.errors import DatabaseError
from llamafarm_rag.store.base import Filter


class OpenedDatabase:
    """One opening of a database; several of one process share what they opened. See `Database` for what it does."""

    def __init__(self, options: DatabaseOptions, holding: Holding, release: Callable[[], None]) -> None:
        self._options = options
        self._holding = holding
        self._release: Callable[[], None] | None = release
        self._writer = new_writer()
        self._has_put = False

    @property
    def options(self) -> DatabaseOptions:
        """What llamafarm.yaml says of it."""
        return self._options

    @property
    def is_holder(self) -> bool:
        """Whether this process holds the database itself."""
        return self._holding.is_holder

    async def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None = None) -> list[Match]:
        """The passages nearest to `vector`."""
        return cast("list[Match]", await self._ask("nearest", vector, limit, _plain(where)))

    async def matching(self, text: str, limit: int, where: Filter | None = None) -> list[Match]:
        """The passages that share words with `text`."""
        return cast("list[Match]", await self._ask("matching", text, limit, _plain(where)))

    async def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of `vector` and each of these passages."""
        return cast("dict[str, float]", await self._ask("similarities", vector, list(ids)))

    async def prepare(self) -> None:
        """Open what searches need."""
        await self._ask("prepare")

    async def claim(self, identity: EmbedderIdentity) -> None:
        """Say which model the vectors that follow come from."""
        await self._ask("claim", identity)

    async def files(self, dataset: str | None = None) -> list[FileRecord]:
        """The files that are done."""
        return cast("list[FileRecord]", await self._ask("files", dataset))

    async def put(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Keep passages of a file that is not done yet; they are forgotten where this opening never finishes it."""
        self._has_put = True
        await self._ask("put", list(passages), vectors, self._writer)

    async def finish(self, record: FileRecord, ids: Sequence[str]) -> None:
        """The file is done."""
        await self._ask("finish", record, list(ids))

    async def remove(self, dataset: str, path: str) -> None:
        """Forget a file and its passages."""
        await self._ask("remove", dataset, path)

    async def clear(self) -> None:
        """Forget everything but the sources."""
        await self._ask("clear")

    async def sources(self, dataset: str) -> list[str]:
        """What `lf datasets add` named."""
        return cast("list[str]", await self._ask("sources", dataset))

    async def set_sources(self, dataset: str, sources: Sequence[str]) -> None:
        """Replace them."""
        await self._ask("set_sources", dataset, list(sources))

    async def stats(self) -> DatabaseStats:
        """How large it is."""
        return cast("DatabaseStats", await self._ask("stats"))

    async def aclose(self) -> None:
        """Close it; the last one of this process lets another process have the database."""
        await asyncio.shield(asyncio.to_thread(self.release))

    def release(self) -> None:
        """What `aclose` does, for a thread that may wait."""
        release, self._release = self._release, None
        if release is None:
            return
        try:
            if self._has_put:
                self._holding.ask_now("abandon", self._writer)
        finally:
            release()

    async def _ask(self, operation: str, *arguments: Any) -> Any:
        if self._release is None:
            raise DatabaseError(f"The database {self._options.name!r} was closed.")
        return await self._holding.ask(operation, *arguments)


def _plain(where: Filter | None) -> dict[str, Any] | None:
    return None if where is None else dict(where)
