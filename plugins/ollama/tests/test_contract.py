"""The provider keeps the contract of every provider, against a server that speaks Ollama's own API."""

from __future__ import annotations

import json

from llamafarm_kit.testing import Asked, Exchange, Peer, ProviderContract, Scene, Script
from llamafarm_kit.testing.oddities import UNREADABLE
from ollama_fake import FakeOllama, line

WORDS = "as the runtime says"
BEGINNING = line({"model": "contract:latest", "message": {"role": "assistant", "content": "Hello"}, "done": False})
END = {"message": {"role": "assistant", "content": " there."}, "done": True, "done_reason": "stop"}
HELLO = (BEGINNING, line({"model": "contract:latest", **END}))
TOO_LONG = {"error": {"code": 400, "message": f"too long, {WORDS}", "type": "exceed_context_size_error"}}


def refusing(status: int, error: str, **headers: str) -> Exchange:
    return Exchange.any(status, json.dumps({"error": error}), **headers)


async def endless(_: Asked, peer: Peer) -> None:
    await peer.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    await peer.pieces(BEGINNING)
    await peer.gone()


async def broken(_: Asked, peer: Peer) -> None:
    await peer.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    await peer.pieces(BEGINNING)
    peer.close()


def odd(scene: Scene) -> Script:
    """An answer in lines that end, begin or are called otherwise; where it cannot be read at all, also a whole one."""
    end = b"\r\n" if scene is Scene.CRLF else b"\n"
    between = b"\n" if scene is Scene.HEARTBEATS else b""
    kind = {Scene.PLAIN_TEXT: "text/plain", Scene.BINARY: "application/octet-stream"}.get(scene, "application/x-ndjson")
    lines = [UNREADABLE[scene]] if scene in UNREADABLE else [text.rstrip(b"\n") for text in HELLO]
    content = b"".join(between + text + end for text in lines)

    async def play(asked: Asked, peer: Peer) -> None:
        if asked.path != "/api/chat":
            return await FakeOllama()(asked, peer)
        named = {} if scene is Scene.NO_TYPE else {"content-type": kind}
        await peer.head(200, {**named, "content-length": str(len(content))})
        return await peer.send(content)

    return play


ODD = (Scene.CRLF, Scene.HEARTBEATS, Scene.PLAIN_TEXT, Scene.BINARY, Scene.NO_TYPE, *UNREADABLE)
"""What there is of oddities in lines of JSON."""


async def with_holes(asked: Asked, peer: Peer) -> None:
    await peer.answer(200, {"model": "contract:latest", "embeddings": [[0.1, None], [0.2, 0.3]]})


class TestOllama(ProviderContract):
    plugin = provider = "ollama"
    base_path = ""
    model = "contract:latest"
    scenes = {
        Scene.READY: FakeOllama(),
        Scene.ECHO: FakeOllama(None),
        Scene.LENGTH: FakeOllama(),
        Scene.TOOLS: FakeOllama(calls=True),
        Scene.ENDLESS: endless,
        Scene.BROKEN: broken,
        Scene.UNAUTHORIZED: refusing(401, f"unauthorized, {WORDS}"),
        Scene.FORBIDDEN: refusing(403, f"cloud is disabled, {WORDS}"),
        Scene.MODEL_MISSING: refusing(404, f"model 'contract:latest' not found, {WORDS}"),
        Scene.INVALID: refusing(400, f"invalid, {WORDS}"),
        Scene.TOO_LONG: refusing(400, json.dumps(TOO_LONG)),
        Scene.BUSY: refusing(429, f"too many requests, {WORDS}", retry_after="30"),
        Scene.FAILED: refusing(500, f"llama-server process has terminated, {WORDS}"),
        Scene.UNAVAILABLE: refusing(503, f"server busy, {WORDS}"),
        Scene.HOLES: with_holes,
        **{scene: odd(scene) for scene in ODD},
    }
