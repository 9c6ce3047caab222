"""How long the threads of this process wait for a processor that others have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_THREADS = Path("/proc/self/task")


@dataclass
class Contention:
    """share: of the time that threads wanted to run, the part that they waited. 0 where the system does not tell."""

    share: float = 0.0


@contextmanager
def watched() -> Iterator[Contention]:
    """What is found out about the time within, at its end."""
    contention = Contention()
    ran, waited = _times()
    yield contention
    ran_by_then, waited_by_then = _times()
    wanted = ran_by_then - ran + waited_by_then - waited
    contention.share = (waited_by_then - waited) / wanted if wanted > 0 else 0.0


def _times() -> tuple[int, int]:
    """Nanoseconds that all threads have run, and have waited. Source: Linux, Documentation/scheduler/sched-stats."""
    ran = waited = 0
    for thread in _THREADS.glob("*/schedstat"):
        with suppress(OSError, ValueError):  # a thread has just ended
            own = thread.read_text().split()
            ran, waited = ran + int(own[0]), waited + int(own[1])
    return ran, waited
