"""Streamed answers, with the time at which each event came.

While a server is measured its client only notes when which bytes came; they are read when all answers are there.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from load import Connection


@dataclass(frozen=True)
class Answer:
    """One streamed completion. seconds: from the request to each event with text. claimed: the tokens of its usage."""

    seconds: tuple[float, ...]
    text: str
    claimed: int | None

    @property
    def first(self) -> float:
        """Seconds until the first token."""
        return self.seconds[0]

    @property
    def gaps(self) -> list[float]:
        """Seconds between events."""
        return [after - before for before, after in zip(self.seconds, self.seconds[1:], strict=False)]


@dataclass(frozen=True)
class Recording:
    """The bytes of an answer. arrivals: of each piece the time, and how many bytes there were with it."""

    asked: float
    received: bytes
    arrivals: tuple[tuple[float, int], ...]

    @property
    def ended(self) -> float:
        return self.arrivals[-1][0]

    def read(self) -> Answer:
        """Raises RuntimeError for an answer with an error, or without text."""
        seconds, texts, claimed = [], [], None
        ends = [size for _, size in self.arrivals]
        for end, event in _events(self.received):
            claimed = (event.get("usage") or {}).get("completion_tokens", claimed)
            if text := _text(event):
                texts.append(text)
                seconds.append(self.arrivals[bisect_left(ends, end)][0] - self.asked)
        if not texts:
            raise RuntimeError(f"an answer without text: {self.received[-500:].decode(errors='replace')}")
        return Answer(tuple(seconds), "".join(texts), claimed)


class Recorder(Connection):
    """A connection that notes when what came."""

    async def record(self, asked: bytes) -> Recording:
        self._arrivals: list[tuple[float, int]] = []
        began = time.perf_counter()
        received = await self.ask(asked)
        return Recording(began, received, self.arrivals)

    @property
    def arrivals(self) -> tuple[tuple[float, int], ...]:
        """Those of the newest answer so far, as a Recording has them."""
        return tuple(self._arrivals)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        super().data_received(data)
        self._arrivals.append((now, len(self._received)))


async def connect(host: str, port: int, bound: float) -> Recorder:
    """bound: seconds that one answer may take."""
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Recorder(bound), host, port)
    return connection


def _text(event: dict[str, Any]) -> str:
    if "error" in event:
        raise RuntimeError(f"the stream ends with an error: {event['error']}")
    return "".join(choice.get("text") or "" for choice in event.get("choices", ()))


def _events(received: bytes) -> list[tuple[int, dict[str, Any]]]:
    """The JSON of each event, with the place among the received bytes where it ends."""
    found = []
    line = bytearray()
    for start, end in _chunks(received):
        here = start
        while (newline := received.find(b"\n", here, end)) >= 0:
            line += received[here:newline]
            here = newline + 1
            if line.startswith(b"data:") and line.strip() != b"data: [DONE]":
                found.append((here, json.loads(line[5:])))
            line.clear()
        line += received[here:end]
    return found


def _chunks(received: bytes) -> list[tuple[int, int]]:
    """Where the chunks of the body lie; an answer that is not sent in chunks has one."""
    body = received.index(b"\r\n\r\n") + 4
    if b"transfer-encoding: chunked" not in received[:body].lower():
        return [(body, len(received))]
    chunks = []
    while size := int(received[body : (line := received.index(b"\r\n", body))], 16):
        chunks.append((line + 2, line + 2 + size))
        body = line + 2 + size + 2
    return chunks
