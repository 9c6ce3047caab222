"""Works of encoders: texts in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Embed:
    """Vectors of inputs, which are texts or token ids. dimensions: keep this many and normalise again.

    The value of its only Finished: little-endian float32 bytes, one for each input.
    """

    operation: ClassVar[str] = "embed"
    answers: ClassVar[int] = 1

    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
