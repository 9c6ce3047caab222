"""What can be asked of a database by a thread that may wait: what a holder does itself, and others ask it for.

Every operation may be done twice with the same outcome as once, so that it can be asked for again when the process
that was asked has gone before it answered.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from llamafarm_rag.database.base import DatabaseStats, EmbedderIdentity, FileRecord
from llamafarm_rag.database.passage import Match, Passage

Where = dict[str, Any] | None


def _sent(vectors: NDArray[np.float32]) -> dict[str, Any]:
    numbers = np.ascontiguousarray(vectors, dtype="<f4")
    return {"shape": list(numbers.shape), "float32": base64.b64encode(numbers.tobytes()).decode("ascii")}


def _received(value: Any) -> NDArray[np.float32]:
    if isinstance(value, np.ndarray):
        return value
    numbers = np.frombuffer(base64.b64decode(value["float32"], validate=True), dtype="<f4")
    return numbers.reshape(value["shape"]).astype(np.float32)


Vectors = Annotated[NDArray[np.float32], PlainValidator(_received), PlainSerializer(_sent)]
"""One vector or several; between processes they travel as their bytes."""


class BlockingDatabase(Protocol):
    """The operations of `Database`, see there. Between processes their arguments and answers travel as JSON."""

    def nearest(self, vector: Vectors, limit: int, where: Where) -> list[Match]:
        """The passages nearest to a vector."""

    def matching(self, text: str, limit: int, where: Where) -> list[Match]:
        """The passages that share words with a text."""

    def similarities(self, vector: Vectors, ids: list[str]) -> dict[str, float]:
        """The cosine of a vector and each of these passages."""

    def prepare(self) -> None:
        """Open what searches need."""

    def claim(self, identity: EmbedderIdentity) -> None:
        """Say which model the vectors that follow come from."""

    def files(self, dataset: str | None) -> list[FileRecord]:
        """The files that are done."""

    def put(self, passages: list[Passage], vectors: Vectors, writer: str) -> None:
        """Keep passages of a file that is not done; until then they are the writer's."""

    def finish(self, record: FileRecord, ids: list[str]) -> None:
        """The file is done."""

    def remove(self, dataset: str, path: str) -> None:
        """Forget a file."""

    def abandon(self, writer: str) -> None:
        """Forget what a writer has put in for files that are not done."""

    def clear(self) -> None:
        """Forget everything but the sources."""

    def sources(self, dataset: str) -> list[str]:
        """What `lf datasets add` named."""

    def set_sources(self, dataset: str, sources: list[str]) -> None:
        """Replace them."""

    def stats(self) -> DatabaseStats:
        """How large it is."""

    def close(self) -> None:
        """Let it go; twice does nothing."""


OPERATIONS = tuple(name for name in vars(BlockingDatabase) if not name.startswith("_") and name != "close")
"""What another process may ask for."""
