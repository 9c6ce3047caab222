"""A command that is left running: what it has said so far can be waited for, and it can be interrupted and killed."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

from farms import Farm

BOUND = 90.0
"""Seconds after which a test gives up waiting: many times what anything here takes."""


class Running:
    """Reads stdout and stderr of a process in threads. Used in a `with`, which kills the process at the end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said = {"stdout": "", "stderr": ""}
        pipes = {"stdout": process.stdout, "stderr": process.stderr}
        self._readers = [threading.Thread(target=self._read, args=item) for item in pipes.items()]
        for reader in self._readers:
            reader.start()

    @property
    def stdout(self) -> str:
        return self._said["stdout"]

    @property
    def stderr(self) -> str:
        return self._said["stderr"]

    def until(self, text: str, *, where: str = "stdout") -> None:
        """Wait until `text` has been said."""
        end = time.monotonic() + BOUND
        while text not in self._said[where]:
            assert any(reader.is_alive() for reader in self._readers), f"ended without {text!r}: {self._said}"
            assert time.monotonic() < end, f"{text!r} did not come: {self._said}"
            time.sleep(0.02)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(BOUND)
        for reader in self._readers:
            reader.join(BOUND)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.end()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, name: str, pipe: IO[str]) -> None:
        while piece := pipe.read(1):
            self._said[name] += piece


class Served:
    """Runs `lf serve` for the length of a `with`; gives its root URL. `command` is the process."""

    def __init__(self, farm: Farm, *arguments: str) -> None:
        self.command = Running(farm.start("serve", *(arguments or ("--port", "0"))))

    def __enter__(self) -> str:
        try:
            self.command.until("/v1\n", where="stderr")
        except BaseException:
            self.__exit__()
            raise
        return self.command.stderr.split("listens on ")[1].split("/v1")[0]

    def __exit__(self, *_: object) -> None:
        self.command.__exit__(None, None, None)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Poll until `condition()` holds; fail with `what` after BOUND seconds."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"not within {BOUND:g} s: {what}"
        time.sleep(0.02)
