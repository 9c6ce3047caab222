"""Runtimes that stream one event and then wait for their client to go, each on its own wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from llamafarm.wire import sse
from llamafarm_kit.testing import Asked, Peer

SSE = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
NDJSON = {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"}
SOUND = {"content-type": "audio/mpeg", "transfer-encoding": "chunked"}
LISTED = {"id": "tiny", "model": "tiny", "object": "model", "loaded": True, "downloaded": True}
ALIVE = {
    "/live": {"status": "ok"},
    "/health": {"status": "ok", "version": "1", "host": "ready", "models": []},
    "/v1/health": {"status": "ok", "version": "1", "all_models_loaded": []},
    "/v1/models": {"object": "list", "data": [LISTED]},
    "/v1/models/tiny": LISTED,
    "/api/version": {"version": "0.33.0"},
}
"""What the runtimes tell of themselves where they are asked; the fakes of each plugin say what is recorded of it."""


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return sse.encode(
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": [choice]}
    )


def _line(text: str) -> bytes:
    return b'{"model":"tiny","message":{"role":"assistant","content":"%s"},"done":false}\n' % text.encode()


@dataclass(frozen=True)
class Wire:
    """Where a chat is asked for, and the beginning of a stream: its headers, its first event and the next one."""

    path: str
    head: Mapping[str, str]
    first: bytes
    next: bytes
    base: str = "/v1"


_OPENAI = Wire("/v1/chat/completions", SSE, _chunk("Hel"), _chunk("lo"))
WIRES: Mapping[str, Wire] = {
    "ollama": Wire("/api/chat", NDJSON, _line("Hel"), _line("lo"), base=""),
    "lemonade": _OPENAI,
    "openai": _OPENAI,
    "universal": _OPENAI,
}
SPEECH = Wire("/v1/audio/speech", SOUND, bytes(range(256)), bytes(256))


class Waiting:
    """A script that begins one answer and waits.

    gone: set when the client's end is closed and the next event has been sent after it. quiet: whether the client sent
    nothing more before. at: when its end was seen closed, on the clock of `time.perf_counter`.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.gone = asyncio.Event()
        self.quiet: bool | None = None
        self.at = 0.0

    async def __call__(self, asked: Asked, peer: Peer) -> None:
        path = asked.path.partition("?")[0]
        if path == self.wire.path:
            await self._wait(peer)
        elif path.endswith("/models/load"):
            told = {"model": asked.body["id"], "id": asked.body["id"], "device": "cpu"}
            await peer.stream(sse.encode(told, event="loaded"))
        else:
            await peer.answer(200 if path in ALIVE else 404, ALIVE.get(path, {"error": f"no {path}"}))

    async def _wait(self, peer: Peer) -> None:
        await peer.head(200, self.wire.head)
        await peer.pieces(self.wire.first)
        self.quiet = await peer.gone()
        self.at = time.perf_counter()
        with suppress(ConnectionError):
            await peer.pieces(self.wire.next)
        self.gone.set()
