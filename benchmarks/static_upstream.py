"""A runtime that answers at once: the same bytes to every request, whole or streamed, at hardly any cost.

Run as a program it prints its port. A streamed answer has CHUNKS chunks, each written by itself after the milliseconds
that the request's `model` names (`tiny-40`); a whole answer comes without waiting.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

CHUNKS = 200
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "tiny",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello there. " * 20}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 60, "total_tokens": 69},
}
BODY = json.dumps(ANSWER).encode()
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    """`data` as one chunk of an HTTP body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(text: str | None) -> bytes:
    """One event of a chat that grows by `text`; None ends it."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": None if text else "stop"}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": [choice]}
    return piece(b"data: " + json.dumps(chunk).encode() + b"\n\n")


WORDS = [event(f" word {number}") for number in range(CHUNKS)]
"""No two are alike: a proxy may take a stream that repeats itself for broken."""
LAST = event(None) + piece(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection: requests come one after the other, each whole before it is answered."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length or 0):
            return
        self._received = b""
        self._answer(json.loads(body) if body else {})

    def _answer(self, request: dict[str, object]) -> None:
        if not request.get("stream"):
            self._transport.write(WHOLE)
            return
        self._transport.write(EVENTS)
        self._write(CHUNKS, int(str(request["model"]).rpartition("-")[2]) / 1000)

    def _write(self, left: int, seconds: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(WORDS[left - 1] if left > 1 else LAST)
        if left > 1:
            asyncio.get_running_loop().call_later(seconds, self._write, left - 1, seconds)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit()
