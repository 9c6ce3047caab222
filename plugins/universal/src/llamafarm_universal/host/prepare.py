"""Preparing requests beside the host's main thread: templates, tokenizers, decoding."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.openmp import let_team_go

log = logging.getLogger(__name__)

WORKERS = 4
Post = Callable[[Callable[[], None]], None]
"""Runs a function on the main thread."""
Failing = Callable[[BaseException], None]


@dataclass(eq=False)
class Preparation:
    """One request that is being prepared. ended: whether nobody waits for it any more; set on the main thread alone."""

    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Failing
    began: float | None = None
    ended: bool = False


class Preparer:
    """Threads that prepare. limit: seconds that one request may take; a thread that takes longer is given up.

    A thread of Python cannot be ended from outside. So where all WORKERS have been given up, nothing could be prepared
    any more, and the process ends: whoever watches it starts another one.
    """

    def __init__(self, post: Post, limit: float) -> None:
        self._post = post
        self._limit = limit
        self._waiting: SimpleQueue[Preparation] = SimpleQueue()
        self._running: list[Preparation] = []
        self._threads = 0
        self._given_up = 0

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Failing) -> None:
        """Do `work` in a thread, then `done` with what it returned, or `failed`, on the main thread."""
        preparation = Preparation(work, done, failed)
        self._running.append(preparation)
        self._waiting.put(preparation)
        if self._threads < WORKERS:
            self._threads += 1
            threading.Thread(target=self._prepare_all, name="prepare", daemon=True).start()

    def give_up_late(self) -> float:
        """Fail what has taken too long. Returns the seconds until the next one will have; infinite: there is none."""
        now = monotonic()
        for late in [item for item in self._running if item.began is not None and now - item.began >= self._limit]:
            self._end(late)
            self._given_up += 1
            late.failed(_too_slow(self._limit))
        if self._given_up >= WORKERS:
            log.error("Every thread that prepares requests hangs: this engine host ends.")
            os._exit(1)
        begun = [item.began for item in self._running if item.began is not None]
        return min(begun) + self._limit - now if begun else (self._limit if self._running else math.inf)

    def _prepare_all(self) -> None:
        """In a thread."""
        while True:
            preparation = self._waiting.get()
            preparation.began = monotonic()
            try:
                prepared = preparation.work()
            except BaseException as error:  # noqa: BLE001 - it is told on the main thread
                told = self._telling(preparation, preparation.failed, error)
            else:
                told = self._telling(preparation, preparation.done, prepared)
            let_team_go()
            self._post(told)

    def _telling(self, preparation: Preparation, tell: Callable[[Any], None], what: Any) -> Callable[[], None]:
        def told() -> None:
            if preparation.ended:  # given up, and its thread is of use again
                self._given_up -= 1
                return
            self._end(preparation)
            tell(what)

        return told

    def _end(self, preparation: Preparation) -> None:
        preparation.ended = True
        self._running.remove(preparation)


def _too_slow(limit: float) -> RequestFailed:
    return RequestFailed(
        "invalid_request",
        f"Preparing this request took longer than {limit:g} seconds: its template or its input is too much.",
        hint="Send less at once.",
    )
