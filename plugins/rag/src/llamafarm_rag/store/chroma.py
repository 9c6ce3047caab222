"""ChromaStore: one collection of Chroma, on disk or at a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import chromadb
import httpx
import numpy as np
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings
from chromadb.errors import NotFoundError
from numpy.typing import NDArray

from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.errors import DatabaseError, StoreDamaged
from llamafarm_rag.store.base import Filter
from llamafarm_rag.store.chroma_config import ChromaConfig
from llamafarm_rag.store.chroma_errors import chroma_errors
from llamafarm_rag.store.chroma_files import IndexFiles
from llamafarm_rag.store.chroma_rows import chroma_filter, row_metadata, row_passage
from llamafarm_rag.store.filters import read_filter

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

READ_PAGE = 1000
"""How many rows are read or deleted at a time: SQLite bounds the variables of a statement."""
SYNC_THRESHOLD = 1000
"""After how many rows Chroma writes its index: its own default."""
SERVER_SECONDS = 120.0
"""How long a Chroma server may take for one answer."""
ItemT = TypeVar("ItemT")


def chroma_on_disk(folder: Path, collection: str, sync_threshold: int = SYNC_THRESHOLD) -> ChromaStore:
    """Chroma in this process, with its files in `folder`. Raises StoreDamaged where they cannot be read."""
    place = f"The store in {folder}"
    files = IndexFiles(folder)
    if not files.are_whole():
        raise StoreDamaged(
            f"{place} has an index that was not written to its end, or was changed since.",
            hint="`lf rag rebuild DATABASE` makes it anew; nothing was deleted.",
        )
    with chroma_errors(place, on_disk=True):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        client = _client_on_disk(folder)
    return ChromaStore(client, collection, place, files=files, sync_threshold=sync_threshold)


def chroma_server(config: ChromaConfig, collection: str) -> ChromaStore:
    """The collection of a Chroma server. Raises DatabaseError where it does not answer."""
    assert config.host is not None
    place = f"The Chroma server at {config.host}:{config.port}"
    with chroma_errors(place, on_disk=False):
        client = chromadb.HttpClient(config.host, config.port, config.ssl, settings=_settings())
        for session in _sessions_of(client):
            session.timeout = SERVER_SECONDS  # Chroma would wait for ever
    return ChromaStore(client, collection, place)


class ChromaStore:
    """One collection. place: where it is, for people. files: those of its index, where they are on this disk."""

    def __init__(
        self,
        client: ClientAPI,
        collection: str,
        place: str,
        *,
        files: IndexFiles | None = None,
        sync_threshold: int = SYNC_THRESHOLD,
    ) -> None:
        self._client: ClientAPI | None = client
        self._name = collection
        self._place = place
        self._files = files
        self._sync_threshold = sync_threshold
        try:
            with self._reached():
                self._collection = self._opened_collection()
        except DatabaseError:
            self.close()
            raise

    def add(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Keep passages with their vectors, as many at a time as Chroma takes."""
        with self._asked() as collection:
            size = self._open_client.get_max_batch_size()
            for start in range(0, len(passages), size):
                part = passages[start : start + size]
                ids = [passage.id for passage in part]
                before = _metadata_of(collection, ids)
                collection.upsert(
                    ids=ids,
                    embeddings=vectors[start : start + size],
                    # Of a row that is there Chroma keeps what is not said anew; None takes it away.
                    metadatas=[dict.fromkeys(before.get(row.id, ())) | row_metadata(row) for row in part],
                )

    def delete(self, ids: Sequence[str]) -> None:
        """Forget passages."""
        with self._asked() as collection:
            for page in _pages(ids, READ_PAGE):
                collection.delete(ids=page)

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None) -> list[Match]:
        """The nearest passages, by cosine."""
        wanted = _where(where)
        if limit < 1:
            return []
        with self._asked() as collection:
            rows = collection.query(
                query_embeddings=vector.reshape(1, -1),
                n_results=limit,
                where=wanted,
                include=["metadatas", "distances"],
            )
        metadatas, distances = rows["metadatas"], rows["distances"]
        assert metadatas and distances
        listed = zip(rows["ids"][0], metadatas[0], distances[0], strict=True)
        return [Match(row_passage(row, metadata), 1 - distance) for row, metadata, distance in listed]

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages that are there."""
        by_id: dict[str, Passage] = {}
        with self._asked() as collection:
            for page in _pages(dict.fromkeys(ids), READ_PAGE):
                rows = collection.get(ids=page, include=["metadatas"])
                listed = zip(rows["ids"], rows["metadatas"] or (), strict=True)
                by_id |= {row: row_passage(row, metadata) for row, metadata in listed}
        return [by_id[row] for row in ids if row in by_id]

    def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine of `vector` and each passage that is there."""
        scores: dict[str, float] = {}
        with self._asked() as collection:
            for page in _pages(dict.fromkeys(ids), READ_PAGE):
                rows = collection.get(ids=page, include=["embeddings"])
                if rows["ids"]:
                    cosines = _cosines(np.asarray(rows["embeddings"], dtype=np.float32), vector)
                    scores |= dict(zip(rows["ids"], cosines.tolist(), strict=True))
        return {row: scores[row] for row in ids if row in scores}

    def ids(self, where: Filter | None = None) -> list[str]:
        """The ids of all passages, or of those that fit."""
        wanted = _where(where)
        with self._asked() as collection:
            return list(collection.get(where=wanted, include=[])["ids"])

    def count(self) -> int:
        """How many passages there are."""
        with self._asked() as collection:
            return collection.count()

    def clear(self) -> None:
        """Make the collection anew: Chroma keeps the dimension of one that once had rows."""
        with self._reached():
            self._open_client.delete_collection(self._name)
            self._collection = self._opened_collection()

    def close(self) -> None:
        """Let go of the files, or of the connection."""
        if self._client is not None:
            client, self._client = self._client, None
            for session in _sessions_of(client):
                session.close()
            client.close()  # type: ignore[attr-defined]  # of every client, though the interface does not say so
            if self._files is not None:
                self._files.note()

    @property
    def _open_client(self) -> ClientAPI:
        if self._client is None:
            raise DatabaseError(f"{self._place} was closed.")
        return self._client

    @contextmanager
    def _asked(self) -> Iterator[Collection]:
        """The collection, to be asked."""
        with self._reached():
            assert self._open_client  # raises where it was closed
            if self._files is None:  # another machine may have made it anew
                self._collection = self._opened_collection()
            yield self._collection

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What Chroma raises becomes ours, and what it has written to its files is noted."""
        with chroma_errors(self._place, on_disk=self._files is not None):
            yield
            if self._files is not None:
                self._files.note()

    def _opened_collection(self) -> Collection:
        try:
            collection = self._open_client.get_collection(self._name, embedding_function=None)
        except NotFoundError:
            index_settings = CreateHNSWConfiguration(space="cosine", sync_threshold=self._sync_threshold)
            collection = self._open_client.create_collection(
                self._name, embedding_function=None, configuration={"hnsw": index_settings}, get_or_create=True
            )
        indexes = collection.configuration_json
        space = next((index["space"] for name in ("hnsw", "spann") if (index := indexes.get(name))), None)
        if space != "cosine":
            raise DatabaseError(
                f"{self._place} has a collection {self._name!r} that measures {space!r}, not cosine.",
                hint="Another program made it: name another one as `collection_name` in llamafarm.yaml.",
            )
        return collection


def _settings(**more: Any) -> Settings:
    """Chroma's settings: nothing is reported to anybody, and no `.env` of the user's folder is read."""
    return Settings(_env_file=None, anonymized_telemetry=False, **more)  # type: ignore[call-arg]


def _client_on_disk(folder: Path) -> ClientAPI:
    """Chroma in this process. It would keep what failed to start for whoever opens the same folder next."""
    try:
        return chromadb.PersistentClient(folder, settings=_settings(is_persistent=True))
    except BaseException:
        SharedSystemClient._identifier_to_system.pop(str(folder), None)
        raise


def _sessions_of(client: ClientAPI) -> list[httpx.Client]:
    """The connections of a server's client, which Chroma has no names for and leaves open; none on disk."""
    asking = (client, getattr(client, "_admin_client", None))
    sessions = [getattr(getattr(part, "_server", None), "_session", None) for part in asking]
    return [session for session in sessions if isinstance(session, httpx.Client)]


def _metadata_of(collection: Collection, ids: list[str]) -> dict[str, Mapping[str, Any]]:
    """The metadata of those rows that are there."""
    there: dict[str, Mapping[str, Any]] = {}
    for page in _pages(ids, READ_PAGE):
        rows = collection.get(ids=page, include=["metadatas"])
        there |= {row: metadata or {} for row, metadata in zip(rows["ids"], rows["metadatas"] or (), strict=True)}
    return there


def _where(where: Filter | None) -> dict[str, Any] | None:
    condition = read_filter(where)
    return None if condition is None else chroma_filter(condition)


def _pages(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    listed = list(items)
    return (listed[start : start + size] for start in range(0, len(listed), size))


def _cosines(rows: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    return (rows @ vector / np.where(lengths > 0, lengths, 1)).astype(np.float32)
