"""Several processes that answer on one socket, and their parent, which begins again those that end."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from llamafarm.errors import UsageError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

REPLACE_SECONDS = 1.0
"""How often workers that have ended are replaced: one that fails at its start is not begun all the time."""
LOOK_SECONDS = 0.1
log = logging.getLogger(__name__)


def supervise(work: Callable[[], None], count: int, *, grace: float) -> None:
    """Do `work` in `count` processes until SIGTERM, or until Ctrl-C, which is raised as KeyboardInterrupt.

    work: begins in a copy of this process, ends on SIGTERM, and watches that its parent lives. grace: seconds that the
    processes may take to end. Raises UsageError where the system has no fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("Several workers need a system with fork, which Windows has not.", hint="Leave --workers out.")
    signals: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: signals.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    workers = [_begun(work) for _ in range(count)]
    try:
        while not signals:
            workers = [worker if worker.is_alive() else _replaced(worker, work) for worker in workers]
            until = time.monotonic() + REPLACE_SECONDS
            while not signals and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
    finally:
        _end(workers, grace)
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals[0] == signal.SIGINT:
        raise KeyboardInterrupt


def _begun(work: Callable[[], None]) -> BaseProcess:
    worker = multiprocessing.get_context("fork").Process(target=_be_worker, args=(work,))
    worker.start()
    return worker


def _replaced(ended: BaseProcess, work: Callable[[], None]) -> BaseProcess:
    log.error("The worker %d has ended (exit code %d); another one is begun.", ended.pid, ended.exitcode)
    return _begun(work)


def _be_worker(work: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(KeyboardInterrupt):
        work()


def _end(workers: list[BaseProcess], grace: float) -> None:
    """End all: politely, and those that do not end in time by force."""
    until = time.monotonic() + grace
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
        worker.kill()
        worker.join()
