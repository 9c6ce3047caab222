"""A store of vectors: the contract of every kind, found through the entry points `llamafarm_rag.stores`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from llamafarm_rag.database.passage import Match, Passage

if TYPE_CHECKING:  # the configuration is read without numpy
    import numpy as np
    from numpy.typing import NDArray

Filter = Mapping[str, Any]
"""What the metadata of passages must say: `{"author": "Ann"}`, `{"year": {"$gte": 2020}}`, `{"$or": [..]}`.

`llamafarm_rag.store.filters` reads it, so that all stores understand the same.
"""


class Store(Protocol):
    """One collection. It is called from one thread at a time, and may block.

    What keeps it from its work is a DatabaseError; vectors of another length than those that it has, DimensionMismatch.
    """

    def add(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Keep passages with their vectors; one whose id is there already is replaced. Durable once it returns."""

    def delete(self, ids: Sequence[str]) -> None:
        """Forget passages; ids that are not there are no error."""

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None) -> list[Match]:
        """The passages nearest to `vector`, the nearest first; the score is the cosine similarity.

        Raises UsageError for a filter that cannot be read.
        """

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids that are there, in the order of `ids`."""

    def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of `vector` and each of these passages that is there."""

    def ids(self, where: Filter | None = None) -> list[str]:
        """The ids of all passages, or of those that fit. Raises UsageError for a filter that cannot be read."""

    def count(self) -> int:
        """How many passages there are."""

    def clear(self) -> None:
        """Forget everything, the dimension included."""

    def close(self) -> None:
        """Free what it holds; twice does nothing."""


@dataclass(frozen=True)
class StoreSpec:
    """A kind of store: what the entry point names.

    config: the schema of `config` of a database, with `extra="forbid"`. open: makes the store of one collection; its
    arguments are the validated config, the folder that the store may write to, and the database's name. It imports
    what it needs inside, and raises StoreDamaged where what lies in the folder cannot be read: it is then made anew
    from what the ledger keeps. is_shared: whether, by its config, others may write to the same rows.
    """

    name: str
    config: type[BaseModel]
    open: Callable[[Any, Path, str], Store]
    is_shared: Callable[[Any], bool]
