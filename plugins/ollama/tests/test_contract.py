"""The provider keeps the contract of every provider, against a server that speaks Ollama's own API."""

from __future__ import annotations

import json

from llamafarm_kit.testing import Asked, Exchange, Peer, ProviderContract, Scene
from ollama_fake import FakeOllama, line

WORDS = "as the runtime says"
BEGINNING = line({"model": "contract:latest", "message": {"role": "assistant", "content": "Hello"}, "done": False})
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
    }
