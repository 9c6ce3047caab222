"""An HTTP server that a test plays byte for byte: a runtime with whatever faults the test needs.

async with ScriptedUpstream(answering({"choices": []})) as upstream:
    ...  # upstream.base_url, upstream.requests
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

BOUND = 20.0
"""Seconds that any wait of a test may last."""


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names are in lower case. connection: a number, the same on a reused one."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes
    connection: int

    @property
    def body(self) -> Any:
        """The JSON body."""
        return json.loads(self.content)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send these bytes now."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer: JSON, or text where `body` is a string."""
        text = body if isinstance(body, str) else json.dumps(body)
        content = text.encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        own = {"content-type": kind, "content-length": str(len(content)), **(headers or {})}
        await self.send(_head(status, own) + content)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the beginning of an answer; its body is up to the script."""
        await self.send(_head(status, headers))

    async def stream(self, *pieces: bytes, end: bool = True, status: int = 200) -> None:
        """Send SSE in chunks cut as given; without `end` the answer stays open."""
        await self.head(status, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        await self.pieces(*pieces)
        if end:
            await self.send(b"0\r\n\r\n")

    async def pieces(self, *pieces: bytes) -> None:
        """Send further chunks of a stream that is open."""
        for piece in pieces:
            await self.send(b"%x\r\n%s\r\n" % (len(piece), piece))

    async def gone(self) -> bool:
        """Wait until the client closes its end; False where it sends something instead. Bounded."""
        try:
            return await asyncio.wait_for(self._reader.read(1), BOUND) == b""
        except ConnectionError:
            return True

    def left(self) -> bool:
        """Whether the client has closed its end by now: a look at the socket that reads and awaits nothing."""
        if self._writer.is_closing():
            return True
        with self._writer.get_extra_info("socket").dup() as own:
            own.setblocking(False)
            try:
                return bool(own.recv(1, socket.MSG_PEEK) == b"")
            except BlockingIOError:
                return False
            except OSError:
                return True

    def close(self) -> None:
        """Close the connection, whatever was promised."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection off, as a machine does that has gone: the client hears of no proper end."""
        own = self._writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Asked, Peer], Awaitable[None]]
"""What answers one request: `async def script(asked, peer)` reads the one and writes to the other."""


class ScriptedUpstream:
    """A server on a loopback port. The scripts answer one request each, in turn; the last one answers all the rest."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._answering: set[Peer] = set()
        self.requests: list[Asked] = []
        self.connections = 0
        self.port = 0

    @property
    def base_url(self) -> str:
        """The address, ending in `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def working(self) -> int:
        """How many answers are under way at this moment whose client is still there."""
        return sum(not peer.left() for peer in self._answering)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        peer = Peer(reader, writer, self.connections)
        try:
            while not writer.is_closing():
                asked = await _read(reader, peer.number)
                if asked is None:
                    break
                self.requests.append(asked)
                self._answering.add(peer)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                await script(asked, peer)
                self._answering.discard(peer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.close()
            self._answering.discard(peer)
            self._tasks.discard(task)


def answering(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Script:
    """A script that sends one whole answer."""

    async def script(_: Asked, peer: Peer) -> None:
        await peer.answer(status, body, headers)

    return script


def streaming(*pieces: bytes, end: bool = True) -> Script:
    """A script that streams these pieces and, without `end`, closes in the middle."""

    async def script(_: Asked, peer: Peer) -> None:
        await peer.stream(*pieces, end=end)
        if not end:
            peer.close()

    return script


async def silent(_: Asked, peer: Peer) -> None:
    """A script that takes the request and says nothing, until the client goes."""
    await peer.gone()


async def _read(reader: asyncio.StreamReader, connection: int) -> Asked | None:
    """The next request; None where the client leaves before it is whole."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Asked(method, path, headers, content, connection)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
