"""Child processes that outlive the program that starts them, and their end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import psutil

from llamafarm.services.processes import is_running

POLL_SECONDS = 0.05
ORPHAN_SECONDS = 2.0
"""How long the children of a process that has ended may take to follow it."""

_children: dict[int, subprocess.Popen[bytes]] = {}


def start(command: Sequence[str], environ: Mapping[str, str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its terminal; take note of earlier ones that have ended."""
    for pid in list(_children):
        collect(pid)
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    process = subprocess.Popen(  # noqa: S603 - the command is the service's own
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=dict(environ), **apart
    )
    _children[process.pid] = process
    return process


async def end(process: psutil.Process, seconds: float) -> None:
    """End a process and those that it has started: first by asking, after so many seconds by force."""
    family = await asyncio.to_thread(_family, process)
    _quietly(process.terminate)
    if not await _all_ended([process], seconds):
        _quietly(process.kill)
    if not await _all_ended(family, ORPHAN_SECONDS):
        for one in family:
            _quietly(one.kill)
    await _all_ended([process, *family], seconds)
    collect(process.pid)


def collect(pid: int) -> None:
    """Take note of the end of a process that this one has started; else it would stay as a zombie."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        pass


async def _all_ended(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Whether all of them have ended within that time."""
    end = time.monotonic() + seconds
    while any(map(is_running, processes)):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
