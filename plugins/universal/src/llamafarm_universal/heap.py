"""What the C library does with freed memory. Only glibc is told anything: others give it back by themselves."""

from __future__ import annotations

import ctypes
import os
import sys

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)


def share_heap() -> None:
    """Have all threads of this process share one heap, unless the user has said something else of it.

    glibc gives threads heaps of their own, and each keeps what its last picture or recording has needed: a budget of
    600 MB was passed by a tenth. Called before there are threads.
    """
    told = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_ARENA_MAX" not in os.environ and "glibc.malloc.arena_max" not in told:
        _tell_glibc("mallopt", _ARENA_MAX, 1)


def trim_heap() -> None:
    """Give freed memory back to the system."""
    _tell_glibc("malloc_trim", 0)


def _tell_glibc(function: str, *values: int) -> None:
    if sys.platform == "linux":
        told = getattr(ctypes.CDLL(None), function, None)  # musl has neither
        if told is not None:
            told(*values)
