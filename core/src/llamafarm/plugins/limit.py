"""A time limit for what plugins do when they are loaded: one that hangs is a broken plugin and not a hanging `lf`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")


class TooSlow(Exception):
    """It took longer than it may; the message says how long that is."""


def run_within(seconds: float | None, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or raise what it raises, or TooSlow after that many seconds.

    It runs in a thread beside the one that waits. Python cannot end a thread: one that is too slow is left behind, and
    does not keep the process from ending. None: as long as it takes, and in the calling thread.
    """
    if seconds is None:
        return work()
    ended: Future[Result] = Future()

    def attempt() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            ended.set_exception(error)

    threading.Thread(target=attempt, name="llamafarm-plugins", daemon=True).start()
    if not wait([ended], seconds).done:
        raise TooSlow(f"it took longer than {seconds:g} seconds")
    return ended.result()
