"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row for each text, of length 1: the dot product of two rows is their cosine similarity."""
Purpose = Literal["passage", "query"]
"""Models that were trained with prompts read passages and questions differently."""


class Embedder(Protocol):
    """An embedding strategy of a database, ready to be asked."""

    async def vectors(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """The vectors of texts, in their order. Raises ProviderError, and DimensionMismatch for another length."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text is to the model, those that the model itself adds left out.

        Counted by the runtime where it can, else estimated, rather too many than too few.
        """

    async def longest(self) -> int | None:
        """How many tokens the model reads of a text; None where nobody says."""
