"""What a program writes to stderr: to the log as it comes, and its end for the error that says why it died."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from types import TracebackType
from typing import Self, TextIO

LINES = 10
LINE_BYTES = 2000

log = logging.getLogger(__name__)


class LastWords(asyncio.Protocol):
    """A pipe for the stderr of one program. file: its writing end, to be given to the program.

    It is entered before the program starts; `started` closes our copy of the writing end, so that the pipe ends with
    the program.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: deque[str] = deque(maxlen=LINES)
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None
        self.file: TextIO | None = None

    async def __aenter__(self) -> Self:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w")
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self, os.fdopen(reading, "rb", buffering=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.started()
        if self._transport is not None:
            self._transport.close()

    def started(self) -> None:
        """Close our copy of the writing end. It may be called twice, and where there is no program."""
        if self.file is not None:
            self.file.close()

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_BYTES:]
        for line in lines:
            text = line[-LINE_BYTES:].decode(errors="replace").rstrip()
            log.debug("%s: %s", self._name, text)
            self._lines.append(text)

    def text(self) -> str:
        """Its last lines."""
        return "\n".join([*self._lines, self._rest.decode(errors="replace")]).strip()
