"""Bytes of a picture or sound on their way between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MAX_INLINE_BYTES = 256 * 1024
"""What is larger travels as a file of the spool, so that no pipe holds up what waits behind it."""


@dataclass(frozen=True)
class Blob:
    """size: in bytes. Exactly one of `data`, for small ones, and `path`, a file of the spool, holds them."""

    media_type: str
    size: int
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.path is None):
            raise ValueError("a blob has either data or a path")

    @classmethod
    def of(cls, content: bytes, media_type: str, folder: Path) -> Blob:
        """A blob of these bytes. folder: where a file is written if they are too many to travel inline."""
        if len(content) <= MAX_INLINE_BYTES:
            return cls(media_type, len(content), data=content)
        return cls(media_type, len(content), path=_written(content, folder))

    def read(self) -> bytes:
        """All its bytes; those of a file are read now."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()


def _written(content: bytes, folder: Path) -> Path:
    from uuid import uuid4

    path = folder / uuid4().hex
    path.write_bytes(content)
    return path
