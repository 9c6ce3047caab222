"""Bytes of a picture or sound on their way between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MAX_INLINE_BYTES = 256 * 1024
"""What is larger travels as a file of the spool, so that no pipe holds up what waits behind it."""


@dataclass(frozen=True)
class Blob:
    """size: in bytes. Exactly one of `data` and `path`, a file of the spool, holds them.

    An engine tells a result as data, however large; the host makes a file of it where it is too large to travel.
    """

    media_type: str
    size: int
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.path is None):
            raise ValueError("a blob has either data or a path")

    def read(self) -> bytes:
        """All its bytes; those of a file are read now."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()
