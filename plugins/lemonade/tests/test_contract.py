"""The provider keeps the contract of every provider; the server is played, and its service is never started."""

from __future__ import annotations

from lemonade_answers import TEXT, TOKENS, recorded, refuse
from lemonade_server import MODEL, LemonadeServer, Model
from llamafarm_kit.testing import Asked, OpenAIScenes, Peer, ProviderContract, Scene, Script
from llamafarm_kit.testing.oddities import ODDITIES
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


def beside_the_server(scene: Scene) -> Script:
    """A chat, vectors or a sound as the scene has them on the OpenAI wire; the rest is a Lemonade server's own."""
    server, wire = everything(), OpenAIScenes(model=MODEL, text=TEXT)

    async def play(asked: Asked, peer: Peer) -> None:
        common = asked.path.endswith(("/completions", "/embeddings", "/audio/speech"))
        await (wire[scene] if common else server)(asked, peer)

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
        **{scene: beside_the_server(scene) for scene in (Scene.ENDLESS, Scene.BROKEN, *ODDITIES)},
    }


class TestLemonadeWithSettings(TestLemonade):
    """An entry with settings, whose model is loaded with them before its first request."""

    entry = {"lemonade": {"context_size": 1024, "backend": "cpu"}}
