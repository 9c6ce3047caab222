"""Processes by a name that is never used again."""

from __future__ import annotations

import os
from functools import cache

import psutil

CLOCK_STEP_SECONDS = 2.0
"""Creation times are counted from the clock, which may have been set since."""


def this_process() -> str:
    """This process, told apart from later ones of the same number by the time that it was created."""
    return _identity(os.getpid())


@cache
def _identity(pid: int) -> str:
    return f"{pid}:{psutil.Process(pid).create_time():.2f}"


def lives(process: str) -> bool:
    """Whether the process of that name still runs."""
    pid, _, created = process.partition(":")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < CLOCK_STEP_SECONDS
    except psutil.Error:
        return False
