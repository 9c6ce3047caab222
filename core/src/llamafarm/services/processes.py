"""Processes of this machine, told apart from later ones of the same number by when they were created."""

from __future__ import annotations

import psutil

CLOCK_SLACK = 2.0
"""Seconds by which two readings of a process's creation time may differ: they follow the system clock."""


def created(pid: int) -> float:
    """When a process began, in seconds since 1970; 0 where it has ended already."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def find(pid: int, began: float) -> psutil.Process | None:
    """The process of that number which began then; None where it has ended, even if another has its number now."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - began) <= CLOCK_SLACK else None
    except psutil.Error:
        return None


def is_running(process: psutil.Process | None) -> bool:
    """Whether a process has not ended; a zombie has."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
