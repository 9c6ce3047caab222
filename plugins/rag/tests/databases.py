"""What tests of databases put into one: options, passages, vectors and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.base import EmbedderIdentity, FileRecord
from llamafarm_rag.database.passage import Passage
from numpy.typing import NDArray

DIMENSION = 4
IDENTITY = EmbedderIdentity("small", "universal:org/small@1", DIMENSION)
WRITER = "1:0.0:test"


def options(kind: str = "ChromaStore", name: str = "notes", **config: Any) -> DatabaseOptions:
    strategy = {"name": "small", "type": "ModelEmbedder", "config": {"model": "embedder"}}
    return DatabaseOptions(name=name, type=kind, config=config, embedding_strategies=[strategy])


def passages(path: str, count: int, version: str = "1") -> list[Passage]:
    return [
        Passage(f"{path}-{version}-{number}", f"text {number} of {path}", path, "docs", number, number, number + 1)
        for number in range(count)
    ]


def vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def record(path: str, count: int, version: str = "1") -> FileRecord:
    return FileRecord("docs", path, Path(path).name, version, "cut", 10 * count, count, 1.0)


def ids_of(rows: Sequence[Passage]) -> list[str]:
    return [row.id for row in rows]


def add_file(database: Any, path: str, count: int, version: str = "1") -> list[str]:
    """Put a file into a database that blocks, as an ingestion does."""
    rows = passages(path, count, version)
    database.put(rows, vectors(count), WRITER)
    database.finish(record(path, count, version), ids_of(rows))
    return ids_of(rows)
