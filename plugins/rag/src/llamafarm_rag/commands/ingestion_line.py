"""How far an ingestion is, on stderr: one line that changes on a terminal, and nothing elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self

from llamafarm.cli import ago, cut, plain

from llamafarm_rag.ingestion.progress import IngestionProgress

CLEAR = "\r\x1b[2K"
BLOCKS = 20
EVERY_SECONDS = 0.1


class IngestionLine:
    """A context in which progress is shown; the line is gone at its end."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live and self._shown:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def __call__(self, progress: IngestionProgress) -> None:
        """Show a moment of it; those that follow too closely are left out."""
        now = time.monotonic()
        if self._live and now - self._shown >= EVERY_SECONDS:
            self._shown = now
            room = shutil.get_terminal_size().columns - 1
            sys.stderr.write(CLEAR + cut(line_of(progress), room))
            sys.stderr.flush()


def line_of(progress: IngestionProgress) -> str:
    """`[######    ]  12 of 40 files  310 chunks  95.2 chunks/s  8 s left  notes.md`, as far as it is known."""
    share = progress.bytes / progress.total_bytes if progress.total_bytes else 1.0
    filled = round(min(share, 1.0) * BLOCKS)
    left = progress.seconds_left
    parts = [
        f"[{'#' * filled}{' ' * (BLOCKS - filled)}]",
        f"{progress.files} of {progress.total_files} files",
        f"{progress.chunks} chunks",
        f"{progress.chunks_per_second:.1f} chunks/s",
        "" if left is None else f"{ago(left)} left",
        plain(progress.file),
    ]
    return "  ".join(filter(None, parts))
