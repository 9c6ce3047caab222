"""What is asked of a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from llamafarm.wire import Operation
from numpy.typing import NDArray

from llamafarm_rag.store.base import Filter


@dataclass(frozen=True)
class Question:
    """A question; what is None is as the strategy says.

    text: what is to be answered, and what a reranker compares passages with. queries: what is searched for in its
    place. filters: hold beside those of the strategy, never in their place.
    """

    text: str
    queries: tuple[str, ...] | None = None
    top_k: int | None = None
    score_threshold: float | None = None
    filters: Filter | None = None


@dataclass(frozen=True)
class Query:
    """A text that is searched for, and its vector."""

    text: str
    vector: NDArray[np.float32]


class AskModel(Protocol):
    """Asks a model entry of the project: `Turn.ask` and `Farm.ask` are such functions."""

    async def __call__(self, operation: Operation, request: Mapping[str, Any], *, model: str | None = None) -> Any:
        """What the operation's row says. Raises LlamaFarmError."""
