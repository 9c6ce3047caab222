"""Servers that a benchmark starts, watches and always stops."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import psutil

BOUND = 120.0
"""How many seconds a server may take to come up, and to go."""
Held = TypeVar("Held")


def end_properly() -> None:
    """Have SIGTERM end this program as Ctrl-C does, so that what it has started is stopped."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def started(command: list[str], **given: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is stopped at the end, killed where it does not go by itself."""
    process = subprocess.Popen(command, text=True, **given)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], Held], process: subprocess.Popen[str], log: Path, bound: float = BOUND) -> Held:
    """What the condition gives once it holds; a process that ends before has told its log why."""
    end = time.monotonic() + bound
    while not (held := condition()):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"{process.args!r} does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    return held


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Watch:
    """Samples the resident memory of a process and its children. period: seconds between two looks."""

    def __init__(self, pid: int, period: float = 0.05) -> None:
        self._root = psutil.Process(pid)
        self._period = period
        self._ended = threading.Event()
        self.most = 0
        self.samples = 0
        threading.Thread(target=self._sample, daemon=True).start()

    def now(self) -> int:
        """Resident bytes of all processes."""
        total = 0
        with suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def forget(self) -> None:
        """Begin anew with the most."""
        self.most = self.samples = 0

    def close(self) -> None:
        self._ended.set()

    def _sample(self) -> None:
        while not self._ended.wait(self._period):
            self.most = max(self.most, self.now())
            self.samples += 1
