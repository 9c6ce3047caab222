"""What passages and vectors must be before anything of them is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llamafarm.errors import UsageError
from numpy.typing import NDArray

from llamafarm_rag.database.passage import Passage


def refuse_unfit(passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
    """Raises UsageError for passages and vectors that no database can keep, and says which."""
    if vectors.ndim != 2 or len(passages) != len(vectors):
        raise _unfit(f"{len(passages)} passages come with vectors of the shape {vectors.shape}.")
    if not np.isfinite(vectors).all():
        raise _unfit(f"A vector for {passages[0].file} has numbers that are none (NaN or infinity).")
    ids: set[str] = set()
    for passage in passages:
        if not is_text(passage.file):
            raise _unfit(f"The name of the file {passage.file!r} is no text.")
        if passage.id in ids:
            raise _unfit(f"Two passages of {passage.file} have the id {passage.id!r}.")
        ids.add(passage.id)
        named = [*passage.metadata, *(value for value in passage.metadata.values() if isinstance(value, str))]
        if not all(map(is_text, [passage.text, *named])):
            raise _unfit(f"Passage {passage.number} of {passage.file} has half characters (surrogates) in it.")


def is_text(text: str) -> bool:
    """Whether it can be written in UTF-8; names of files that are not in it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unfit(message: str) -> UsageError:
    return UsageError(message, status=400, code="unfit_passage")
