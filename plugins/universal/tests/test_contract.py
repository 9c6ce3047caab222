"""The provider keeps the contract of every provider; the runtime is played, and its service is never started."""

from __future__ import annotations

from llamafarm.wire import sse
from llamafarm_kit.testing import Asked, OpenAIScenes, Peer, ProviderContract, Scene, Script
from llamafarm_kit.testing.openai_scenes import MODEL

LISTED = {"object": "list", "data": [{"id": MODEL, "model": MODEL, "loaded": True, "features": ["tools"]}]}


def on_the_runtimes_wire(script: Script, *, well: bool) -> Script:
    """The same scene with the routes that are the runtime's own: its health, its models, and loading one."""

    async def play(asked: Asked, peer: Peer) -> None:
        if asked.path == "/v1/models/load":
            told = {"model": asked.body["id"], "id": asked.body["id"], "device": "cpu"}
            await peer.stream(b": keep-alive\n\n", sse.encode(told, event="loaded"))
        elif asked.path == "/health" and well:
            await peer.answer(200, {"status": "ok", "version": "1.2", "host": "ready", "models": []})
        elif asked.path == "/v1/models" and well:
            await peer.answer(200, LISTED)
        else:
            await script(asked, peer)

    return play


SCENES = {scene: on_the_runtimes_wire(script, well=scene is Scene.READY) for scene, script in OpenAIScenes().items()}


class TestUniversal(ProviderContract):
    plugin = "universal"
    provider = "universal"
    scenes = SCENES
