"""An answer of an embedding model as rows of numbers, checked before anything is kept of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from llamafarm.errors import UpstreamError
from numpy.typing import NDArray

from llamafarm_rag.embedding.base import Vectors


def vectors_of(answer: Mapping[str, Any], texts: int, model: str) -> Vectors:
    """One row of length 1 for each of so many texts, in their order. model: how messages call the model.

    Raises UpstreamError for an answer that is not that: rows that are missing, twice there, of several lengths, without
    a direction, or no numbers.
    """
    try:
        rows = sorted(answer["data"], key=lambda row: row["index"])
        numbers = [row["index"] for row in rows]
        found = [_numbers(row["embedding"]) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise UpstreamError(f"{model} answered with something that holds no vectors.") from None
    if numbers != list(range(texts)):
        raise UpstreamError(f"{model} answered with {len(rows)} vectors for {texts} texts.")
    if len(lengths := {len(row) for row in found}) > 1:
        raise UpstreamError(f"{model} answered with vectors of several lengths: {sorted(lengths)}.")
    return _normalised(np.stack(found), model)


def _numbers(embedding: str | list[float]) -> NDArray[np.float32]:
    """A vector that is base64 of its float32 bytes, or a list of numbers. Raises ValueError, TypeError."""
    if isinstance(embedding, str):
        embedding_bytes = base64.b64decode(embedding, validate=True)
        vector = np.frombuffer(embedding_bytes, "<f4").astype(np.float32)
    else:
        vector = np.asarray(embedding, dtype=np.float32)
    if vector.ndim != 1 or not len(vector):
        raise ValueError("no vector")
    return vector


def _normalised(rows: NDArray[np.float32], model: str) -> Vectors:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if len(bad):
        raise UpstreamError(
            f"{model} answered with a vector that has no direction (zero, infinite or not a number) for {len(bad)} of "
            f"{len(rows)} texts.",
            hint="The model, or the number format that it is loaded in, does not fit these texts.",
        )
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)
