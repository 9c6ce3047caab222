"""A time limit for what plugins do when they are loaded: one that hangs is a broken plugin and not a hanging `lf`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class TooSlow(Exception):
    """It took longer than it may. seconds: the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it took longer than {seconds:g} seconds")
        self.seconds = seconds


class Limit:
    """Runs one piece of work after the other in a thread beside the one that waits, each for at most `seconds`.

    Python cannot end a thread: one that is too slow is left behind, does not keep the process from ending, and the next
    work gets a new one. seconds=None: as long as it takes, and in the calling thread.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._work: Work | None = None

    def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, or raise what it raises, or TooSlow. One at a time."""
        if self._seconds is None:
            return work()
        attempt = _Attempt(work)
        self._work = self._work or self._started()
        self._work.put(attempt)
        if not attempt.ended.wait(self._seconds):
            self._work.put(None)
            self._work = None
            raise TooSlow(self._seconds)
        return attempt.outcome()

    def _started(self) -> Work:
        """The queue of a new thread, which ends when nobody has this limit any more."""
        work: Work = SimpleQueue()
        threading.Thread(target=_serve, args=(work,), name="llamafarm-plugins", daemon=True).start()
        weakref.finalize(self, work.put, None)
        return work


class _Attempt(Generic[Result]):
    """One call, and how it ended."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []
        self._raised: BaseException | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self._raised = error
        self.ended.set()

    def outcome(self) -> Result:
        if self._raised is not None:
            raise self._raised
        return self._results[0]


Work = SimpleQueue[_Attempt[Any] | None]


def _serve(work: Work) -> None:
    while (attempt := work.get()) is not None:
        attempt.run()
        del attempt  # while waiting, hold on to nothing that the work was about
