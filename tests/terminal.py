"""`lf` on a pseudo-terminal, as a person uses it."""

from __future__ import annotations

import os
import pty
import signal
import time

from farms import Farm


class Terminal:
    """One command on a terminal of its own; what it shows can be waited for, and keys be pressed."""

    def __init__(self, farm: Farm, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = farm.start(*arguments, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = ""

    def expect(self, text: str, *, seconds: float = 30) -> None:
        """Read until `text` has appeared after what was expected before."""
        deadline = time.monotonic() + seconds
        os.set_blocking(self._master, False)
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} did not come; seen: {self.seen!r}"
            try:
                self.seen += os.read(self._master, 65536).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                assert text in self.seen, f"{text!r} did not come before the end; seen: {self.seen!r}"
        self.seen = self.seen.split(text, 1)[1]

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def type(self, line: str) -> None:
        os.write(self._master, line.encode())

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        return self._process.wait(20)

    def close(self) -> None:
        """End it where it has not ended."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)
