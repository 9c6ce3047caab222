"""How much of a time the threads of this process could not run, because others had the processors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_THREADS = Path("/proc/self/task")


@dataclass
class Contention:
    """share: the part of the time that was lost to others."""

    share: float = 0.0


@contextmanager
def watched() -> Iterator[Contention]:
    """What is found out about the time within, at its end: for a thread that computes all the while.

    Two signs are looked at, and the worse counts: how long threads that wanted to run have waited for a processor,
    where the system tells, and how long the calling thread has not run at all. The latter also shows what no system
    tells: that it waited for another thread, which had to wait, or that a container had used up its share.
    """
    contention = Contention()
    ran, waited = _times()
    began, own = time.perf_counter(), time.thread_time()
    yield contention
    asleep = 1 - (time.thread_time() - own) / max(time.perf_counter() - began, 1e-9)
    ran_by_then, waited_by_then = _times()
    wanted = ran_by_then - ran + waited_by_then - waited
    contention.share = max(asleep, (waited_by_then - waited) / wanted if wanted > 0 else 0.0)


def _times() -> tuple[int, int]:
    """Nanoseconds that all threads have run, and have waited. Source: Linux, Documentation/scheduler/sched-stats."""
    ran = waited = 0
    for thread in _THREADS.glob("*/schedstat"):
        with suppress(OSError, ValueError):  # a thread has just ended
            own = thread.read_text().split()
            ran, waited = ran + int(own[0]), waited + int(own[1])
    return ran, waited
