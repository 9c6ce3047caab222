"""How far an ingestion is, for a bar and for a stream of events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class IngestionProgress:
    """A moment of an ingestion.

    file: the one that was read last, as the user sees it. files, total_files: done, and to be done, without those that
    are as they were. bytes, total_bytes: of these files; one that is half embedded counts half. chunks: embedded so
    far. seconds: since the first file was read.
    """

    dataset: str
    file: str
    files: int
    total_files: int
    bytes: float
    total_bytes: int
    chunks: int
    seconds: float

    @property
    def chunks_per_second(self) -> float:
        """On average so far."""
        return self.chunks / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """As it looks by the bytes that are done; None before the first."""
        if not self.bytes:
            return None
        return self.seconds * max(0.0, self.total_bytes - self.bytes) / self.bytes

    def as_json(self) -> dict[str, Any]:
        """As a JSON object; numbers that nobody needs exactly are rounded."""
        left = self.seconds_left
        return {
            "dataset": self.dataset,
            "file": self.file,
            "files": self.files,
            "total_files": self.total_files,
            "chunks": self.chunks,
            "chunks_per_second": round(self.chunks_per_second, 1),
            "seconds": round(self.seconds, 1),
            "seconds_left": None if left is None else round(left, 1),
        }


Listener = Callable[[IngestionProgress], None]
"""Told what has been done; it must return at once."""


def ignore_progress(progress: IngestionProgress) -> None:
    """The listener of those who do not watch."""


class Tally:
    """Counts what is done, and tells a listener."""

    def __init__(self, dataset: str, files: int, size: int, tell: Listener) -> None:
        self.chunks = 0
        self._dataset = dataset
        self._file = ""
        self._files, self._total_files = 0, files
        self._bytes, self._total_bytes = 0.0, size
        self._began: float | None = None  # a model that is loaded first says nothing about speed
        self._tell = tell

    def read(self, file: str) -> None:
        """A file has been read."""
        self._file = file
        self._say()

    def embedded(self, chunks: int, size: float) -> None:
        """So many chunks have vectors, which stand for so many bytes of their files."""
        self.chunks += chunks
        self._bytes += size
        self._say()

    def done(self, size: float = 0.0) -> None:
        """A file is done or has failed. size: bytes of it that have not been counted yet."""
        self._files += 1
        self._bytes += size
        self._say()

    def _say(self) -> None:
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        self._tell(
            IngestionProgress(
                self._dataset,
                self._file,
                self._files,
                self._total_files,
                self._bytes,
                self._total_bytes,
                self.chunks,
                now - self._began,
            )
        )
