"""Processes of this machine: those that outlive the program that starts them, and the end of them.

One is told apart from a later one of the same number by when it was created.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import psutil

CLOCK_SLACK = 2.0
"""Seconds by which two readings of a process's creation time may differ: they follow the system clock."""
POLL_SECONDS = 0.05
ORPHAN_SECONDS = 2.0
"""How long the children of a process that has ended may take to follow it."""

_started: dict[int, subprocess.Popen[bytes]] = {}


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


def start(command: Sequence[str], environ: Mapping[str, str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its terminal."""
    _forget_ended()
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    process = subprocess.Popen(  # noqa: S603 - the command is the service's own
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=dict(environ), **apart
    )
    _started[process.pid] = process
    return process


async def end(process: psutil.Process, seconds: float) -> None:
    """End a process and those that it has started: first by asking, after so many seconds by force."""
    family = await asyncio.to_thread(_family, process)
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    if not await _all_ended([process], seconds):
        _kill(process)
    if not await _all_ended(family, ORPHAN_SECONDS):
        for member in family:
            _kill(member)
    await _all_ended([process, *family], seconds)
    _forget_ended()


def _forget_ended() -> None:
    """Take note of the end of processes that this one has started; else they would stay as zombies."""
    for pid, process in list(_started.items()):
        if process.poll() is not None:
            del _started[pid]


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


async def _all_ended(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Whether all of them have ended within that time."""
    end = time.monotonic() + seconds
    while any(map(is_running, processes)):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
