"""A store of vectors: the contract of every kind, found through the entry points `llamafarm_rag.stores`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from llamafarm_rag.database.passage import Match, Passage

Filter = Mapping[str, Any]
"""What the metadata of passages must say: `{"author": "Ann"}`, `{"year": {"$gte": 2020}}`, `{"$or": [..]}`."""


class Store(Protocol):
    """One collection. It is called from one thread at a time, and may block."""

    def add(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Keep passages with their vectors; one whose id is there already is replaced. Durable once it returns."""

    def delete(self, ids: Sequence[str]) -> None:
        """Forget passages; ids that are not there are no error."""

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None) -> list[Match]:
        """The passages nearest to `vector`, the nearest first; the score is the cosine similarity."""

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids that are there, in the order of `ids`."""

    def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of `vector` and each of these passages."""

    def ids(self) -> list[str]:
        """The ids of all passages."""

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
    arguments are the validated config, the folder that the store may write to, and the collection's name. It imports
    what it needs inside. is_shared: whether, by its config, several processes may have it open at a time.
    """

    name: str
    config: type[BaseModel]
    open: Callable[[Any, Path, str], Store]
    is_shared: Callable[[Any], bool]
