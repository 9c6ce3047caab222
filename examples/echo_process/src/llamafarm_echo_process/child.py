"""A child process that is asked one question and answers in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import IO, Any, Self

from llamafarm_echo_process.errors import died, not_started, unreadable

LONGEST_LINE = 1024 * 1024
"""Bytes."""


class Child:
    """One run of the program. Whoever starts one closes it."""

    def __init__(self, process: Process, stderr: IO[bytes], command: str, provider: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._stderr = stderr
        self._command = command
        self._provider = provider
        self._reading = asyncio.Lock()
        self._closed = False

    @classmethod
    async def start(cls, command: Sequence[str], provider: str) -> Self:
        """Start the program, in a process group of its own. Raises ConnectionFailed where there is none."""
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop the program once full
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=stderr, limit=LONGEST_LINE, start_new_session=True
            )
        except OSError as error:
            stderr.close()
            raise not_started(shlex.join(command), error, provider) from error
        except BaseException:
            stderr.close()
            raise
        return cls(process, stderr, shlex.join(command), provider)

    async def ask(self, question: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The lines of the answer as they come, the last one with `end`. Raises ProviderError where it fails."""
        await self._send(json.dumps(question).encode() + b"\n")
        while line := await self._line():
            answer = self._parsed(line)
            yield answer
            if "end" in answer:
                return
        if not self._closed:
            code = await self._process.wait()
            self._stderr.seek(0)
            raise died(self._command, code, self._stderr.read().decode(errors="replace"), self._provider)

    async def close(self) -> None:
        """Kill the program and what it has started, and wait for its end. Any task may do this, more than once."""
        self._closed = True
        self._kill()
        async with self._reading:
            await self._stdout.read()  # what is left in the pipe would keep it open
        await self._process.wait()
        self._stderr.close()

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        try:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended

    async def _send(self, line: bytes) -> None:
        try:
            self._stdin.write(line)
            await self._stdin.drain()
        except ConnectionError:
            pass  # it has ended without reading all: its exit code says more
        self._stdin.close()

    async def _line(self) -> bytes:
        async with self._reading:
            try:
                return await self._stdout.readline()
            except ValueError:
                raise unreadable(f"more than {LONGEST_LINE} bytes", self._provider) from None

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise unreadable(line.decode(errors="replace").strip(), self._provider)
        return answer
