"""Several processes that answer on one socket, and their parent, which begins again those that end."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

LONG_SECONDS = 10.0
"""A worker that has lived for so long has not failed at its start."""
WAITS = (0.0, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before the next worker is begun, after so many in a row that failed at their start."""
LOOK_SECONDS = 0.1
log = logging.getLogger(__name__)


def supervise(work: Callable[[], None], count: int, *, grace: float) -> None:
    """Do `work` in `count` processes until SIGTERM, or until Ctrl-C, which is raised as KeyboardInterrupt.

    work: begins in a copy of this process, ends on SIGTERM, and watches that its parent lives. grace: seconds that the
    processes may take to end. Raises UsageError where the system has no fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("Several workers need a system with fork, which Windows has not.", hint="Leave --workers out.")
    workers = _Workers(work)
    before = {number: signal.signal(number, workers.stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        workers.keep(count)
    finally:
        workers.end(grace)
        for number, handler in before.items():
            signal.signal(number, handler)
    if workers.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt


class _Workers:
    """The processes, each with when it was begun."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._begun: dict[BaseProcess, float] = {}
        self._failures = 0
        self._may_begin = 0.0
        self.stopped_by: int | None = None

    def stop(self, number: int, _: FrameType | None) -> None:
        """Take note of the signal that ends all."""
        self.stopped_by = number

    def keep(self, count: int) -> None:
        """See to it that so many are running, until `stop`."""
        while self.stopped_by is None:
            for worker in [worker for worker in self._begun if not worker.is_alive()]:
                self._note_end(worker)
            while len(self._begun) < count and time.monotonic() >= self._may_begin and self.stopped_by is None:
                worker = multiprocessing.get_context("fork").Process(target=self._be_worker)
                worker.start()
                self._begun[worker] = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def end(self, grace: float) -> None:
        """End all: politely, and those that do not end in time by force."""
        until = time.monotonic() + grace
        for worker in self._begun:
            worker.terminate()
        for worker in self._begun:
            worker.join(max(0.0, until - time.monotonic()))
            worker.kill()
            worker.join()

    def _be_worker(self) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with suppress(KeyboardInterrupt):
            self._work()

    def _note_end(self, worker: BaseProcess) -> None:
        lived = time.monotonic() - self._begun.pop(worker)
        self._failures = 0 if lived >= LONG_SECONDS else self._failures + 1
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._may_begin = time.monotonic() + wait
        code = worker.exitcode
        log.error("The worker %d has ended (exit code %d); another one is begun in %g s.", worker.pid, code, wait)
