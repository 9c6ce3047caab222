"""The provider keeps the contract of every provider; the server is played, and its service is never started."""

from __future__ import annotations

from lemonade_answers import TEXT, TOKENS, recorded, refuse
from lemonade_server import MODEL, LemonadeServer, Model
from llamafarm_kit.testing import Asked, OpenAIScenes, Peer, ProviderContract, Scene, Script
from llamafarm_kit.testing.openai_scenes import WORDS

REFUSALS = {
    Scene.UNAUTHORIZED: (401, {"error": f"Invalid or missing API key, {WORDS}"}),  # auth-wrong-key.json: a text
    Scene.MODEL_MISSING: (404, recorded("chat-missing-model")),
    Scene.INVALID: (400, recorded("chat-temperature-string")),
    Scene.TOO_LONG: (400, recorded("chat-too-long")),
    Scene.FAILED: (500, recorded("chat-backend-fails")),
}
"""Statuses and bodies as recorded, with the words that the contract looks for."""


def refusing(status: int, body: dict) -> Script:
    if isinstance(body["error"], dict):
        body["error"]["message"] += f" ({WORDS})"

    async def play(asked: Asked, peer: Peer) -> None:
        await refuse(peer, status, body)

    return play


def everything(**state) -> LemonadeServer:
    """A server whose one model can do every operation: the contract asks one model for all of them."""
    return OneForAll(models={MODEL: Model()}, **state)


class OneForAll(LemonadeServer):
    def _does(self, body, kind):
        return True


def breaking(*, held: bool) -> Script:
    """A chat, or a sound, of which only the beginning comes; then nothing more, or the connection's end."""
    server, wire = everything(), OpenAIScenes(model=MODEL)

    async def play(asked: Asked, peer: Peer) -> None:
        grows = asked.path.endswith(("/chat/completions", "/audio/speech"))
        await (wire[Scene.ENDLESS if held else Scene.BROKEN] if grows else server)(asked, peer)

    return play


class TestLemonade(ProviderContract):
    plugin = "lemonade"
    provider = "lemonade"
    model = MODEL
    text = TEXT
    tokens = TOKENS
    scenes = {
        **OpenAIScenes(),  # FORBIDDEN, BUSY and UNAVAILABLE come from what stands before the server
        **{scene: refusing(*said) for scene, said in REFUSALS.items()},
        Scene.READY: everything(),
        Scene.ECHO: everything(text=""),
        Scene.LENGTH: everything(finish="length"),
        Scene.TOOLS: everything(finish="tool_calls"),
        Scene.ENDLESS: breaking(held=True),
        Scene.BROKEN: breaking(held=False),
    }


class TestLemonadeWithSettings(TestLemonade):
    """An entry with settings, whose model is loaded with them before its first request."""

    entry = {"lemonade": {"context_size": 1024, "backend": "cpu"}}
