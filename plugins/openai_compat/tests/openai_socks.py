"""A SOCKS5 proxy (RFC 1928, RFC 1929) on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from openai_networks import join


class SocksProxy:
    """It alone knows where `host:port` leads to, and notes what it is asked.

    credentials: user and password that it wants. replies: the code of its answer to everything (0: it connects).
    pieces: whether it sends each byte by itself. dies: closes the connection once it has read a request.
    """

    def __init__(
        self,
        leads: Mapping[str, int],
        *,
        credentials: tuple[str, str] | None = None,
        replies: int = 0,
        pieces: bool = False,
        dies: bool = False,
    ) -> None:
        self._leads = leads
        self._wanted = credentials
        self._replies = replies
        self._pieces = pieces
        self._dies = dies
        self._tasks: set[asyncio.Task[Any]] = set()
        self.asked: list[str] = []
        self.connections = 0
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if await self._greet(reader, writer):
                await self._connect(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one side has gone, or the test is over
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        assert version == 5
        method = 2 if self._wanted else 0
        if method not in methods:
            await self._say(writer, b"\x05\xff")
            return False
        await self._say(writer, bytes([5, method]))
        return self._wanted is None or await self._knows(reader, writer)

    async def _knows(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        assert await reader.readexactly(1) == b"\x01"
        user, password = await _sized(reader), await _sized(reader)
        known = (user.decode(), password.decode()) == self._wanted
        await self._say(writer, b"\x01\x00" if known else b"\x01\x01")
        return known

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, command, _, kind = await reader.readexactly(4)
        assert (version, command) == (5, 1)
        host = await _host(reader, kind)
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        if self._dies:
            return
        if self._replies:
            await self._say(writer, bytes([5, self._replies, 0, 1]) + bytes(6))
            return
        far, away = await asyncio.open_connection("127.0.0.1", self._leads[self.asked[-1]])
        try:
            await self._say(writer, b"\x05\x00\x00\x03\x05proxy\x00\x01")
            await join(reader, writer, far, away)
        finally:
            away.close()

    async def _say(self, writer: asyncio.StreamWriter, text: bytes) -> None:
        for piece in [text[at : at + 1] for at in range(len(text))] if self._pieces else [text]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)


async def _sized(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])


async def _host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == 3:
        return (await _sized(reader)).decode()
    assert kind == 1
    return ".".join(map(str, await reader.readexactly(4)))
