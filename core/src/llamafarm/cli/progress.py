"""What takes time, on stderr: one line that changes on a terminal, one line for each stage elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

from llamafarm.cli.output import ago, cut, plain, size, width
from llamafarm.providers.base import Progress

CLEAR = "\r\x1b[2K"


class ProgressLine:
    """A context in which progress is shown; the line is gone at its end. Nothing is shown where nothing takes time.

    doing: what is done once the model is ready, where that takes time too; it is shown on terminals alone.
    """

    def __init__(self, stream: TextIO | None = None, *, doing: str = "") -> None:
        self._stream = stream or sys.stderr
        self._doing = Progress("loading", doing) if doing else None
        self._live = self._stream.isatty()
        self._last: Progress | None = None
        self._began = (0.0, 0)

    def __enter__(self) -> Self:
        if self._doing is not None and self._live:
            self(self._doing)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live and self._last is not None:
            self._stream.write(CLEAR)
            self._stream.flush()

    def __call__(self, step: Progress) -> None:
        """Show one step."""
        if self._live:
            step = self._doing if self._doing is not None and step.stage == "ready" else step
            if self._last is None or _counts_anew(step, self._last):
                self._began = (time.monotonic(), step.done or 0)
            self._stream.write(CLEAR + self._line(step))
        elif step.stage != "ready" and (self._last is None or step.text != self._last.text):
            self._stream.write(f"{plain(step.text)}\n")
        self._last = step
        self._stream.flush()

    def _line(self, step: Progress) -> str:
        """The text and the numbers; where both do not fit, the text gives way."""
        numbers = self._numbers(step)
        text = plain(step.text) if numbers or step.stage == "ready" else f"{plain(step.text)} …"
        room = shutil.get_terminal_size().columns - 1 - width(numbers)
        return cut(f"{text}  ", room) + numbers if numbers else cut(text, room)

    def _numbers(self, step: Progress) -> str:
        """`file 2 of 7  1.5 GB of 4.1 GB  32.0 MB/s  81 s left`, as far as it is known."""
        if step.done is None:
            return ""
        begun, first = self._began
        seconds = time.monotonic() - begun
        speed = (step.done - first) / seconds if seconds > 0.5 else 0
        files = f"file {step.index} of {step.count}" if step.index and (step.count or 0) > 1 else ""
        amount = f"{size(step.done)} of {size(step.total)}" if step.total else size(step.done)
        left = f"{ago((step.total - step.done) / speed)} left" if step.total and speed else ""
        return "  ".join(filter(None, [files, amount, f"{size(speed)}/s" if speed else "", left]))


def _counts_anew(step: Progress, last: Progress) -> bool:
    """Whether something else is counted from now on, so that its speed is measured anew."""
    return step.text != last.text or step.total != last.total or (step.done or 0) < (last.done or 0)
