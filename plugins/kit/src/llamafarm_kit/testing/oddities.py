"""What runtimes of the field send beside the book, on the OpenAI wire: answers that a provider has to understand.

Each was seen in the wild: at llama.cpp's server, Azure, Gemini's compatible API, Mistral, and proxies that join lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llamafarm.wire import dump

from llamafarm_kit.testing.scenes import Scene
from llamafarm_kit.testing.upstream import Asked, Peer

Chunk = dict[str, Any]

THINKING = "Let me see."
CITIES = ("Paris", "Rome")
"""What the two calls of an odd answer ask for."""


COMPLETE = (
    Scene.CR,
    Scene.CRLF,
    Scene.MIXED,
    Scene.CLOSE,
    Scene.DONE_INSIDE,
    Scene.HEARTBEATS,
    Scene.PLAIN_TEXT,
    Scene.BINARY,
    Scene.NO_TYPE,
    Scene.LEFT_OUT,
)
"""Streams that are complete, in an unusual way."""
CALLS = (Scene.CALLS_BY_ID, Scene.NAMES_AGAIN)
UNREADABLE: Mapping[Scene, bytes] = {
    Scene.DEEP: b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    Scene.DIGITS: b'{"choices":[],"created":' + b"7" * 10_000 + b"}",
}
"""Answers that are not read at all."""
ODDITIES = (*COMPLETE, *CALLS, *UNREADABLE, Scene.NO_FINISH, Scene.PARTS, Scene.HOLES)

_TYPES: Mapping[Scene, Mapping[str, str]] = {
    Scene.PLAIN_TEXT: {"content-type": "text/plain"},
    Scene.BINARY: {"content-type": "application/octet-stream"},
    Scene.NO_TYPE: {},
}
_EVENT_STREAM = {"content-type": "text/event-stream"}


async def stream(oddity: Scene, chunks: Iterable[Chunk], asked: Asked, peer: Peer) -> None:
    """Stream the chunks of an answer in the odd way."""
    data = [UNREADABLE[oddity]] if oddity in UNREADABLE else [*map(dump, changed(oddity, [*chunks], asked))]
    if oddity is not Scene.NO_FINISH:
        data.append(b"[DONE]")
    await peer.head(200, {**_TYPES.get(oddity, _EVENT_STREAM), "transfer-encoding": "chunked"})
    await peer.pieces(framed(oddity, data), b"")


def framed(oddity: Scene, data: list[bytes]) -> bytes:
    """The bytes of a stream with these events."""
    if oddity is Scene.DONE_INSIDE:
        data = [*data[:-2], data[-2] + b"\ndata: " + data[-1]]
    before = b"data:\n\n: still here\n\ndata: \n\n" if oddity is Scene.HEARTBEATS else b""
    end = {Scene.CR: b"\r\r", Scene.CRLF: b"\r\n\r\n", Scene.MIXED: b"\n\r\n", Scene.CLOSE: b"\n"}
    return b"".join(before + b"data: " + item + end.get(oddity, b"\n\n") for item in data)


def changed(oddity: Scene, chunks: list[Chunk], asked: Asked) -> list[Chunk]:
    """The chunks of an answer as the odd runtime makes them."""
    head = {name: value for name, value in chunks[0].items() if name != "choices"}
    if oddity is Scene.LEFT_OUT:
        silent = {"index": 0, "delta": None, "finish_reason": None}
        before = [head, {**head, "choices": None}, {**head, "choices": [silent]}]
        return [*before, *chunks, {**head, "choices": [], "usage": {"total_tokens": 5}}]
    if oddity is Scene.NO_FINISH:
        return [{**head, "choices": [{**choice, "finish_reason": ""}]} for choice in chunks[1]["choices"]]
    if oddity is Scene.PARTS:
        texts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
        deltas = [{"content": parts(thinking=THINKING)}, *({"content": parts(text=text)} for text in texts)]
        return [*(_chunk(head, delta) for delta in deltas), chunks[-1]]
    if oddity in CALLS:
        return [*(_chunk(head, {"tool_calls": [piece]}) for piece in _pieces(oddity, asked)), chunks[-1]]
    return chunks


def parts(**texts: str) -> list[dict[str, Any]]:
    """A content of one part for each text, called by what it is."""
    inside = {kind: [{"type": "text", "text": text}] if kind == "thinking" else text for kind, text in texts.items()}
    return [{"type": kind, kind: content} for kind, content in inside.items()]


def _pieces(oddity: Scene, asked: Asked) -> list[dict[str, Any]]:
    """Two calls in turns: the beginning of both, and then the rest of both."""
    name = {"name": asked.body["tools"][0]["function"]["name"]}
    pieces = []
    for half in (0, 1):
        for at, city in enumerate(CITIES):
            arguments = json.dumps({"city": city})
            function = {"arguments": arguments[half * 6 : 6 + half * len(arguments)]}
            if half == 0 or oddity is Scene.NAMES_AGAIN:
                function = {**name, **function}
            index = {"index": at} if oddity is Scene.NAMES_AGAIN else {}
            pieces.append({**index, "id": f"call-{at}", "type": "function", "function": function})
    return pieces


def _chunk(head: Chunk, delta: dict[str, Any]) -> Chunk:
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
