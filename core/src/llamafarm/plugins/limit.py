"""A time limit for what plugins do when they are loaded: one that hangs is a broken plugin and not a hanging `lf`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class TooSlow(Exception):
    """It took longer than it may. seconds: the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it took longer than {seconds:g} seconds")
        self.seconds = seconds


def within(seconds: float | None, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or raise what it raises; TooSlow after `seconds`. None: as long as it takes.

    Python cannot end a thread: one that is too slow is left behind, and does not keep the process from ending.
    """
    if seconds is None:
        return work()
    attempt = _Attempt(work)
    thread = threading.Thread(target=attempt.run, name="llamafarm-plugin", daemon=True)
    thread.start()
    thread.join(seconds)
    if attempt.raised is not None:
        raise attempt.raised
    if not attempt.results:
        raise TooSlow(seconds)
    return attempt.results[0]


class _Attempt(Generic[Result]):
    """One call in a thread, and how it ended."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self.results: list[Result] = []
        self.raised: BaseException | None = None

    def run(self) -> None:
        try:
            self.results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self.raised = error
