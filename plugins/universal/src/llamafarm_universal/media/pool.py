"""Processes that decode: started when they are needed, killed when they take too long, and replaced."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.jobs import MAX_LINE_BYTES, Job, dump_job, read_answer
from llamafarm_universal.media.settings import DECODE_SECONDS, DECODERS

IDLE_SECONDS = 120.0
WAIT_SECONDS = 20.0
"""How long a file may wait for a process that is free."""
MAX_JOBS = 200
"""A process is replaced after so many, for what its libraries may have kept."""
_ENVIRON = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR",
            "TEMP", "SYSTEMROOT", "HOME")  # fmt: skip
"""What of the environment a process gets: keys and tokens are none of its business."""
log = logging.getLogger(__name__)


def own_environ() -> dict[str, str]:
    """The environment of a process that reads or writes media."""
    return {name: os.environ[name] for name in _ENVIRON if name in os.environ}


class WorkerPool:
    """At most `size` processes, each with one job at a time. Thread-safe; calls block.

    seconds: what a job may take. memory: bytes that a process may have, where the system limits them. idle: after how
    many seconds without a job a process ends.
    """

    def __init__(self, size: int, seconds: float, memory: int, idle: float = IDLE_SECONDS) -> None:
        self.seconds = seconds
        self._arguments = ("--memory", str(memory), "--idle", str(idle))
        self._turns = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._closed = False

    def do(self, job: Job) -> dict[str, int]:
        """The measures of what was decoded.

        Raises RequestFailed where it was refused, took too long or crashed, or no process was free in time.
        """
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            hint = f"Ask again in a moment, or have the operator of the server raise {DECODERS}."
            raise RequestFailed("busy", "The server is busy decoding other files.", hint=hint)
        try:
            return self._done(job)
        finally:
            self._turns.release()

    def _done(self, job: Job) -> dict[str, int]:
        try:
            return self._tried(job)
        except _Crashed as crash:
            if crash.was_fresh:
                raise _crash() from None
        try:  # it may have ended while it was idle
            return self._tried(job)
        except _Crashed:
            raise _crash() from None

    def _tried(self, job: Job) -> dict[str, int]:
        with self._worker() as worker:
            return worker.do(job, self.seconds)

    def close(self) -> None:
        """End all processes; what they are at fails."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._drop(self._idle.pop())
            for worker in self._workers:
                worker.kill()

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._taken()
        try:
            yield worker
        finally:
            self._put_back(worker)

    def _taken(self) -> _Worker:
        """The process that was used last and still lives, or a new one."""
        with self._lock:
            if self._closed:
                raise RequestFailed("busy", "The runtime is stopping.")
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                self._drop(worker)
            worker = _Worker(self._arguments)
            self._workers.add(worker)
            return worker

    def _put_back(self, worker: _Worker) -> None:
        with self._lock:
            if worker.is_fit and not self._closed:
                self._idle.append(worker)
            else:
                self._drop(worker)

    def _drop(self, worker: _Worker) -> None:
        worker.end()
        self._workers.discard(worker)


class _Worker:
    """One process. is_fit: whether it may get another job."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.is_fit = True
        self._jobs = 0
        command = [sys.executable, "-P", "-m", "llamafarm_universal.media.worker", *arguments]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own_environ(), bufsize=0
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        self._stdin, self._stdout = stdin, stdout

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def do(self, job: Job, seconds: float) -> dict[str, int]:
        self._jobs += 1
        with _Deadline(seconds, self.kill) as deadline:
            answer = self._asked(job)
        is_whole = answer.endswith(b"\n")
        self.is_fit = is_whole and not deadline.passed and self._jobs < MAX_JOBS
        if is_whole:
            return read_answer(answer)
        if deadline.passed:
            raise RequestFailed(
                "too_large",
                f"Decoding the file takes longer than the {seconds:g} seconds that it may.",
                hint=f"Send a smaller one, or have the operator of the server raise {DECODE_SECONDS}.",
            )
        self.kill()
        log.warning("A decoder ended with exit code %s.", self._process.wait())
        raise _Crashed(was_fresh=self._jobs == 1)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Kill it and let go of all that is its own."""
        self.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    def _asked(self, job: Job) -> bytes:
        """The answer, or a part of it where the process has ended."""
        try:
            self._stdin.write(dump_job(job))
            return self._stdout.readline(MAX_LINE_BYTES)
        except OSError:
            return b""


class _Deadline:
    """Calls `end` where what is done within it takes more than so many seconds. passed: whether it has."""

    def __init__(self, seconds: float, end: Callable[[], None]) -> None:
        self.passed = False
        self._end = end
        self._timer = threading.Timer(seconds, self._pass)

    def _pass(self) -> None:
        self.passed = True
        self._end()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()  # from here on it ends nothing


class _Crashed(Exception):
    """A process has ended without an answer. was_fresh: it had done nothing before."""

    def __init__(self, *, was_fresh: bool) -> None:
        super().__init__()
        self.was_fresh = was_fresh


def _crash() -> RequestFailed:
    return RequestFailed("invalid_request", "The file cannot be decoded: its decoder crashed on it.")
