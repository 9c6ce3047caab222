"""What LlamaFarm expects of every provider and every plugin, held by this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes import FakeProgram
from llamafarm_kit.testing import PluginContract, ProviderContract, Scene, Stage

MODELS = (
    'question["ask"] == "models" and (say(model="contract-model", context_length=1000), say(end="stop"), sys.exit())\n'
)
ANSWER = 'say(token="Hello "), say(token="there."), say(end="stop", prompt_tokens=3, completion_tokens=2)'
HANGS = "time.sleep(600)"


def refusal(code: str) -> str:
    return f'say(error="{code}", message="No, as the runtime says.", retry_after=30)'


PLAYED = {
    Scene.READY: MODELS + ANSWER,
    Scene.ECHO: 'say(token=question["messages"][-1]["content"]), say(end="stop")',
    Scene.LENGTH: 'say(token="Hello "), say(end="length")',
    Scene.TOOLS: ANSWER,  # never asked: the field `tools` is refused
    Scene.ENDLESS: f'say(token="Hello "), {HANGS}',
    Scene.BROKEN: 'say(token="Hello "), sys.exit(3)',
    Scene.SILENT: HANGS,
    Scene.GARBAGE: 'print("Welcome to the router.")',
    Scene.UNAUTHORIZED: refusal("denied"),
    Scene.FORBIDDEN: refusal("denied"),
    Scene.MODEL_MISSING: refusal("model_not_found"),
    Scene.INVALID: refusal("invalid_request"),
    Scene.TOO_LONG: refusal("context_length_exceeded"),
    Scene.BUSY: refusal("busy"),
    Scene.FAILED: refusal("out_of_luck"),
    Scene.UNAVAILABLE: refusal("not_ready"),
}
"""What the program does in each scene."""


class TestEchoProvider(ProviderContract):
    plugin = "echo"
    provider = "echo"
    bound = 60.0  # one test runs the program a hundred times

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def stage(self, scene: Scene) -> AsyncIterator[Stage]:
        program = FakeProgram(self.folder / scene, PLAYED.get(scene, ""))
        command = [str(self.folder / "nothing-here")] if scene is Scene.DOWN else program.command
        yield Stage({"command": command}, seen=program.asked, working=lambda: len(program.running()))


class TestPlugin(PluginContract):
    plugin = "echo"
