"""The tool sources that a project declares: made once, shared by its turns, closed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from llamafarm import AgentHandlerSpec, Tool, ToolResult, ToolSourceSpec
from llamafarm.errors import ConfigError, PluginError
from llamafarm.gateway import Context, Gateway
from llamafarm.gateway.tool_sources import DeclaredSources
from llamafarm.project import NO_PROJECT, Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.operations import CHAT
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

pytestmark = pytest.mark.anyio


class Barn:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    async def list(self) -> list[Tool]:
        return [Tool("weigh")]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(f"{name} in {self.name}: {arguments['cow']}")

    async def aclose(self) -> None:
        self.closed += 1


def barns(*names: str, kind: str = "barns") -> tuple[ToolSourceSpec, list[Barn]]:
    made: list[Barn] = []

    def connect(_project: Project, name: str) -> Barn:
        made.append(Barn(name))
        return made[-1]

    return ToolSourceSpec(kind, "made for a test", lambda _: names, connect), made


class Weighing:
    """A handler that calls the tool `weigh` of the source `red`, and says what came."""

    async def run(self, turn, ask):
        source = await turn.tool_sources.get("red")
        [tool] = await source.list()
        result = await source.call(tool.name, {"cow": "Rosa"})
        return await ask(turn.with_messages([{"role": "user", "content": result.content}]))


async def test_turns_share_a_source_which_is_closed_with_the_project():
    spec, made = barns("red", "blue")
    provider = ScriptedProvider(lambda request: request["messages"][-1]["content"])
    handler = AgentHandlerSpec("weighing", "made for a test", lambda _: Weighing())
    gateway = Gateway(ScriptedPlugins(provider, handlers=(handler,), tool_sources=(spec,)))
    project = Project(
        "shop", "default", None, (ModelEntry(name="m", provider="scripted", model="x", handler="weighing"),)
    )
    for _ in range(2):
        reply = await gateway.ask(project, CHAT, {"messages": [{"role": "user", "content": "Hi"}]}, Context("r"))
        assert await reply.text() == "weigh in red: Rosa"
        await reply.aclose()
    await gateway.aclose()
    assert [(barn.name, barn.closed) for barn in made] == [("red", 1)]


async def test_a_source_that_no_file_declares_is_an_error_with_the_nearest_name():
    sources = DeclaredSources(NO_PROJECT, lambda: {"barns": barns("red", "blue")[0]})
    assert list(await sources.names()) == ["red", "blue"]
    with pytest.raises(ConfigError, match="no tool source 'rad'") as caught:
        await sources.get("rad")
    assert caught.value.hint == "Did you mean 'red'? Tool sources: red, blue."


async def test_two_kinds_cannot_declare_one_name():
    kinds = {kind: barns("red", kind=kind)[0] for kind in ("barns", "sheds")}
    with pytest.raises(PluginError, match="'red' is declared twice, for 'barns' and for 'sheds'"):
        await DeclaredSources(NO_PROJECT, lambda: kinds).get("red")


async def test_one_that_cannot_be_made_names_itself():
    def connect(*_: Any) -> Barn:
        raise OSError("no door")

    spec = ToolSourceSpec("barns", "made for a test", lambda _: ["red"], connect)
    with pytest.raises(PluginError, match="The tool source 'red' failed: OSError: no door"):
        await DeclaredSources(NO_PROJECT, lambda: {"barns": spec}).get("red")


async def test_one_that_does_not_close_is_told_in_the_log_and_harms_no_other(caplog):
    spec, made = barns("red", "blue")
    sources = DeclaredSources(NO_PROJECT, lambda: {"barns": spec})
    red = await sources.get("red")
    await sources.get("blue")

    async def fail() -> None:
        raise OSError("stuck")

    red.aclose = fail  # type: ignore[method-assign]
    await sources.aclose()
    assert made[1].closed == 1
    assert "The tool source 'red' did not close: stuck" in caplog.text
