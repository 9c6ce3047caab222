"""The threads that torch computes with on a processor.

GNU's OpenMP keeps a team of threads for each thread that has ever computed something, so that the next operation finds
them spinning. Where all teams together are more threads than there are processors, whoever waits sleeps at once
instead, and a picture takes a quarter longer. So one thread alone has a team at any time: whoever is about to wait for
another one lets its own go, which takes less than a tenth of a millisecond.
(libgomp: `gomp_managed_threads` in team.c, `do_spin` in config/linux/wait.h; OpenMP 5.0, section 3.2.45.)
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

_MAPPED = Path("/proc/self/maps")
_SOFT = 1  # omp_pause_soft: what was set stays, the number of threads among it


def let_team_go() -> None:
    """End the threads that have computed for this one, until it computes again.

    Without GNU's OpenMP it does nothing.
    """
    if "torch" in sys.modules:
        for pause in _pauses():
            pause(_SOFT)


@cache
def _pauses() -> list[Callable[[int], int]]:
    """Of each OpenMP library of this process: torch brings its own, and others may."""
    if not _MAPPED.exists():
        return []
    mapped = {line.split(maxsplit=5)[-1] for line in _MAPPED.read_text().splitlines() if "/libgomp" in line}
    libraries = [ctypes.CDLL(path) for path in sorted(mapped)]
    return [library.omp_pause_resource_all for library in libraries if hasattr(library, "omp_pause_resource_all")]
