"""Long work in pieces, where a library does it in one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Pause = Callable[[], bool]
"""Called by the work where a piece ends; returns whether the work is to end too, since nobody wants it any more."""


class PausedWork:
    """Work that goes on only while somebody waits for it: in a thread of its own, which never runs beside theirs."""

    def __init__(self, work: Callable[[Pause], Any]) -> None:
        self.result: Any = None
        self._work = work
        self._error: BaseException | None = None
        self._ended = False
        self._unwanted = False
        self._go = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="paused-work", daemon=True)
        self._thread.start()

    def advance(self) -> bool:
        """Do the next piece. Returns whether that was the last; `result` is there then. Raises what the work raises."""
        self._go.release()
        self._paused.acquire()
        if self._error is not None:
            raise self._error
        return self._ended

    def abandon(self) -> None:
        """Have it end at its next pause, and wait for that. Calling twice does nothing."""
        self._unwanted = True
        if not self._ended:
            self._go.release()
            self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._unwanted:
                self.result = self._work(self._pause)
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            self._error = error
        self._ended = True
        del self._work
        self._paused.release()

    def _pause(self) -> bool:
        self._paused.release()
        self._go.acquire()
        return self._unwanted
