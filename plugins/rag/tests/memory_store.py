"""A store that keeps everything in memory, to prove that the contract is no more than Chroma needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.errors import DimensionMismatch
from llamafarm_rag.store.base import Filter, StoreSpec
from llamafarm_rag.store.filters import read_filter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class MemoryConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = 10


class MemoryStore:
    def __init__(self) -> None:
        self.rows: dict[str, tuple[Passage, NDArray[np.float32]]] = {}
        self.dimension: int | None = None

    def add(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        self._check(vectors.shape[1])
        self.dimension = vectors.shape[1]
        self.rows |= {row.id: (row, vector) for row, vector in zip(passages, vectors, strict=True)}

    def delete(self, ids: Sequence[str]) -> None:
        for row in ids:
            self.rows.pop(row, None)

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Filter | None) -> list[Match]:
        fitting = self.ids(where)
        if self.rows:
            self._check(len(vector))
        scores = sorted(self.similarities(vector, fitting).items(), key=lambda item: -item[1])
        return [Match(self.rows[row][0], score) for row, score in scores[:limit]]

    def get(self, ids: Sequence[str]) -> list[Passage]:
        return [self.rows[row][0] for row in ids if row in self.rows]

    def similarities(self, vector: NDArray[np.float32], ids: Sequence[str]) -> dict[str, float]:
        there = [(row, self.rows[row][1]) for row in ids if row in self.rows]
        return {row: float(v @ vector / (np.linalg.norm(v) * np.linalg.norm(vector))) for row, v in there}

    def ids(self, where: Filter | None = None) -> list[str]:
        condition = read_filter(where)
        return [row for row, (passage, _) in self.rows.items() if condition is None or condition.fits(passage)]

    def count(self) -> int:
        return len(self.rows)

    def clear(self) -> None:
        self.rows.clear()
        self.dimension = None

    def close(self) -> None:
        pass

    def _check(self, dimension: int) -> None:
        if self.dimension not in (None, dimension):
            raise DimensionMismatch(f"The store has vectors of length {self.dimension}, not {dimension}.")


_opened: dict[Path, MemoryStore] = {}


def _open(config: MemoryConfig, folder: Path, database: str) -> MemoryStore:
    return _opened.setdefault(folder, MemoryStore())


MEMORY = StoreSpec("MemoryStore", MemoryConfig, _open, is_shared=lambda config: False)
