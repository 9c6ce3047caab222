"""Files read in a process of their own, which is killed and replaced where one takes too long or crashes it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Self

from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.exchange import LENGTH_BYTES, MAX_ANSWER_BYTES, dump_job, framed, length_of, load_answer
from llamafarm_rag.documents.source import Source

SECONDS = 60.0
"""What reading one file may take, of computing."""
_PATIENCE = 5
"""It may take so many times longer on the clock: embedding keeps the machine busy meanwhile."""
_OUT_OF_TIME = frozenset({-getattr(signal, name) for name in ("SIGPROF", "SIGALRM") if hasattr(signal, name)})
"""The exit codes of a process that the system has ended for the time that it took."""
MEMORY = 2 * 1024**3
"""Bytes of addresses that the process may have, where the system limits them."""
MAX_JOBS = 1000
"""The process is replaced after so many files, for what its libraries may have kept."""
_ENVIRON = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR",
            "TEMP", "SYSTEMROOT", "HOME")  # fmt: skip
"""What of the environment the process gets: keys and tokens are none of its business."""
_PIPE_BYTES = 1024 * 1024


class Reader:
    """Reads files, one at a time. Its process starts with the first one and is kept until `aclose`.

    seconds: of computing that a file may take. memory: bytes that the process may have, where the system limits them.
    It belongs to the event loop that it is used in.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._turn = asyncio.Lock()
        self._worker: _Worker | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def read(self, path: Path, processing: ProcessingStrategy) -> Document:
        """What a file says.

        Raises UnreadableFile, also where reading it takes too long or too much memory, or crashes the process.
        """
        async with self._turn:
            answer = await self._asked(path, processing)
        return await asyncio.to_thread(load_answer, answer)

    async def aclose(self) -> None:
        """End the process; what it is at fails. A file that is read later starts another one."""
        if self._worker:
            self._worker.close()
        async with self._turn:
            await self._end()

    async def _asked(self, path: Path, processing: ProcessingStrategy) -> bytes:
        job = dump_job(path, processing)
        source = Source(path, b"")
        too_long = source.unreadable(f"takes more than the {self._seconds:g} seconds of computing that it may")
        while True:
            worker = await self._ready()
            was_fresh = not worker.jobs
            try:
                return await asyncio.wait_for(worker.do(job), self._seconds * _PATIENCE)
            except TimeoutError:
                raise too_long from None
            except _Ended as ended:
                if ended.code in _OUT_OF_TIME:
                    raise too_long from None
                if worker.is_closed:
                    raise source.unreadable("was not read to its end: its reader was closed") from None
                if was_fresh:
                    raise source.unreadable(f"cannot be read: its reader crashed (exit code {ended.code})") from None
                # something else may have ended the process; a fresh one tells

    async def _ready(self) -> _Worker:
        """A process that may be asked."""
        if self._worker and not self._worker.is_fit:
            await self._end()
        if self._worker is None:
            self._worker = await _Worker.start(self._seconds, self._memory)
        return self._worker

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            await worker.end()


class _Worker:
    """One process. jobs: how many it was given. is_closed: on purpose. is_fit: whether it may be given another job."""

    def __init__(self, process: Process) -> None:
        self.jobs = 0
        self._process = process
        self.is_closed = False
        self._has_failed = False
        self._is_killed = False

    @classmethod
    async def start(cls, seconds: float, memory: int) -> Self:
        clock = str(seconds * _PATIENCE + 10)  # for a process whose parent has died
        arguments = ("--computing-seconds", str(seconds), "--seconds", clock, "--memory", str(memory))
        module = "llamafarm_rag.documents.worker_process"
        environ = {name: os.environ[name] for name in _ENVIRON if name in os.environ}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", module, *arguments, stdin=PIPE, stdout=PIPE, env=environ, limit=_PIPE_BYTES
            )
        )

    @property
    def is_fit(self) -> bool:
        return self._process.returncode is None and not self._has_failed and self.jobs < MAX_JOBS

    async def do(self, job: bytes) -> bytes:
        """The answer to a job. Raises _Ended. One that is not waited for ends the process."""
        self.jobs += 1
        try:
            return await self._answer(job)
        except (OSError, asyncio.IncompleteReadError):
            self._kill()
            raise _Ended(await self._process.wait()) from None
        except BaseException:
            self._kill()
            raise

    def close(self) -> None:
        """Have it end soon; what it is at fails."""
        self.is_closed = True
        self._kill()

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._kill()
        await self._process.communicate()

    async def _answer(self, job: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(framed(job))
        await stdin.drain()
        length = length_of(await stdout.readexactly(LENGTH_BYTES))
        if length > MAX_ANSWER_BYTES:
            raise OSError(f"an answer of {length:,} bytes")
        return await stdout.readexactly(length)

    def _kill(self) -> None:
        """Does nothing to a process that has ended, or is to end.

        `Process.kill` asks first whether it has: where it is the first to learn that, the exit code is lost to the
        event loop, which then warns of a process that it does not know.
        """
        self._has_failed = True
        if not self._is_killed and self._process.returncode is None:
            self._is_killed = True
            with suppress(ProcessLookupError):
                _send_kill(self._process)


def _send_kill(process: Process) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.kill(process.pid, signal.SIGKILL)


class _Ended(Exception):
    """The process has ended without an answer. code: its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code
