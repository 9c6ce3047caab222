"""A client that costs hardly anything: raw connections that are kept open, so that it is not what limits a server."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

BOUND = 60.0
"""How many seconds one answer may take."""


@dataclass
class Measured:
    """What came of many requests. seconds: of all; latencies: of each. chunks: events with data that were received."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    chunks: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def request(port: int, model: str, *, stream: bool) -> bytes:
    """The bytes of one chat request."""
    messages = [{"role": "user", "content": "What is LlamaFarm?"}]
    return post(f"127.0.0.1:{port}", "/v1/chat/completions", {"model": model, "messages": messages, "stream": stream})


def post(place: str, path: str, fields: object) -> bytes:
    """The bytes of a request with JSON. place: host and port."""
    body = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: {place}\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer none\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One connection, which asks again as soon as it has an answer. bound: seconds that an answer may take."""

    def __init__(self, bound: float = BOUND) -> None:
        self._bound = bound

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._answered: asyncio.Future[None] | None = None

    def connection_lost(self, _: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(ConnectionError("the server closed the connection before its answer"))

    async def ask(self, asked: bytes) -> bytes:
        """The whole answer, head and body. Raises RuntimeError for one that is not a success."""
        self._received = bytearray()
        self._end: int | None = None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(asked)
        async with asyncio.timeout(self._bound):
            await self._answered
        if not self._received.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(bytes(self._received[:1000]).decode())
        return bytes(self._received)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._end is None:
            self._end = self._length()
        chunked = self._end == 0
        if self._received.endswith(b"0\r\n\r\n") if chunked else self._end and len(self._received) >= self._end:
            assert self._answered is not None
            self._answered.set_result(None)

    def _length(self) -> int | None:
        """Of head and body; 0: it comes in chunks; None: the head is not whole."""
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = bytes(self._received[:head]).lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return head + 4 + int(length) if length else 0

    def close(self) -> None:
        self._transport.close()


async def load(port: int, asked: bytes, *, connections: int, requests: int, apart: float = 0.0) -> Measured:
    """Ask `requests` times in all over so many connections, which begin `apart` seconds after one another."""
    measured = Measured()
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(connections)]
    began = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for number, connection in enumerate(opened):
                group.create_task(_ask(connection, asked, requests // connections, number * apart, measured))
    finally:
        for connection in opened:
            connection.close()
    measured.seconds = time.perf_counter() - began
    return measured


async def _ask(connection: Connection, asked: bytes, times: int, delay: float, measured: Measured) -> None:
    await asyncio.sleep(delay)
    for _ in range(times):
        began = time.perf_counter()
        answer = await connection.ask(asked)
        measured.latencies.append(time.perf_counter() - began)
        measured.chunks += answer.count(b"data: {")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
