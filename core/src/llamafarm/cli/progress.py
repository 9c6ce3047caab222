"""What happens before the first token, on stderr: one line that changes on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from llamafarm.cli.output import plain, size
from llamafarm.providers.base import Progress


class ProgressLine:
    """Shows progress until `clear` is called. Nothing is shown where nothing takes time."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown = False
        self._said: str | None = None
        self._began: tuple[str, float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if self._live:
            self._stream.write(f"\r\x1b[2K{plain(self._line(progress))[: _columns() - 1]}")
            self._shown = True
        elif progress.stage != "ready" and progress.text != self._said:
            self._said = progress.text
            self._stream.write(f"{plain(progress.text)}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._shown = False

    def _line(self, progress: Progress) -> str:
        if progress.done is None:
            return f"{progress.text} …"
        done = size(progress.done)
        amount = f"{done} of {size(progress.total)}" if progress.total else done
        return f"{progress.text}  {amount}{self._speed(progress.text, progress.done)}"

    def _speed(self, text: str, done: int) -> str:
        """Bytes per second since this text was first shown."""
        now = time.monotonic()
        if self._began is None or self._began[0] != text:
            self._began = (text, now, done)
        _, since, first = self._began
        return f"  {size((done - first) / (now - since))}/s" if now - since > 0.5 else ""


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns
