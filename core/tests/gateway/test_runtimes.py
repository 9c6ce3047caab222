"""The runtimes of a project: one row for each endpoint, nothing started, nothing waited for too long."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from llamafarm.errors import ConfigError, PluginError, UpstreamError
from llamafarm.gateway import Gateway
from llamafarm.gateway.runtimes import by_entry
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import Health, ModelInfo
from llamafarm.providers.entry import ModelEntry, Timeouts
from llamafarm.services.base import ServiceStatus
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

pytestmark = pytest.mark.anyio

ADDRESS = "http://127.0.0.1:9"
LOADED = ModelInfo("qwen3:8b", loaded=True, memory_bytes=5_000_000_000)
UP = Health(True, "", "1.2")
DOWN = Health(False, "nobody there")


class Shelf(ScriptedProvider):
    def __init__(self, *models: ModelInfo, health: Health = UP, error: Exception | None = None, hangs: bool = False):
        super().__init__(health=health)
        self.models = list(models)
        self.error = error
        self.hangs = hangs

    async def list_models(self) -> list[ModelInfo]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.models


class Service:
    """A service that is as the test says, and is never started."""

    def __init__(self, state: str = "running", **given):
        self.told = ServiceStatus("scripted:9", state, ADDRESS, **given)

    async def status(self) -> ServiceStatus:
        return self.told


def entry(name: str, **given) -> ModelEntry:
    return ModelEntry(name=name, provider="scripted", model=f"runtime-{name}", **given)


async def rows(shelf, *entries, service=None, within=5.0):
    plugins = ScriptedPlugins(shelf)
    if service is not None:
        plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: service)
    project = Project("shop", "default", None, entries or (entry("small"),))
    return await Gateway(plugins).runtimes(project, timeout=within)


async def test_entries_of_one_endpoint_are_one_row_however_long_they_wait():
    found = await rows(
        Shelf(LOADED),
        entry("one"),
        entry("two", timeouts=Timeouts(connect=1)),
        entry("three", base_url="http://10.0.0.1:9"),
    )

    assert [(row.name, row.address, row.entries) for row in found] == [
        ("scripted", "http://127.0.0.1:9/v1", ("one", "two")),
        ("scripted", "http://10.0.0.1:9", ("three",)),
    ]
    assert (found[0].state, found[0].version, found[0].models) == ("reachable", "1.2", (LOADED,))


async def test_a_runtime_that_we_started_tells_its_process_and_since_when():
    service = Service(pid=7, since=1_700_000_000.0, version="1.0")
    [row] = await rows(Shelf(LOADED, ModelInfo("other", loaded=False)), service=service)

    assert (row.name, row.state, row.address) == ("scripted:9", "running", ADDRESS)
    assert (row.pid, row.since, row.version) == (7, 1_700_000_000.0, "1.0")
    assert row.models == (LOADED,)


async def test_one_that_somebody_else_started_has_the_version_that_it_tells_itself():
    [row] = await rows(Shelf(), service=Service("foreign"))

    assert (row.state, row.version, row.pid) == ("foreign", "1.2", None)


async def test_a_service_that_is_down_is_stopped_and_that_is_no_fault():
    [row] = await rows(Shelf(health=DOWN, error=UpstreamError("nobody")), service=Service("stopped"))

    assert (row.state, row.detail, row.models) == ("stopped", "", None)


async def test_a_service_that_cannot_be_started_says_why():
    service = Service("stopped", obstacle="It is not installed.")
    [row] = await rows(Shelf(health=DOWN, error=UpstreamError("nobody")), service=service)
    assert (row.state, row.detail) == ("unreachable", "It is not installed.")


async def test_a_running_service_that_is_not_well_says_why():
    [row] = await rows(Shelf(health=Health(False, "the engine host has failed")), service=Service())

    assert (row.state, row.detail) == ("running", "the engine host has failed")


async def test_a_runtime_that_does_not_answer_says_why():
    [row] = await rows(Shelf(health=DOWN, error=UpstreamError("nobody")))

    assert (row.state, row.detail, row.models) == ("unreachable", "nobody there", None)


async def test_a_runtime_that_does_not_tell_what_is_loaded_leaves_it_unknown():
    [row] = await rows(Shelf(ModelInfo("a"), ModelInfo("b")))

    assert row.models is None


async def test_a_question_that_is_not_answered_is_given_up_and_the_others_count():
    [row] = await rows(Shelf(hangs=True), within=0.01)

    assert (row.state, row.version, row.models) == ("reachable", "1.2", None)


async def test_what_is_broken_is_a_row():
    odd = BrokenEntry("odd", "nobody", "x", ConfigError("line 3 is wrong"))
    found = await rows(Shelf(), odd, entry("small"))

    assert [(row.name, row.state, row.entries, row.detail) for row in found] == [
        ("scripted", "reachable", ("small",), ""),
        ("nobody", "broken", ("odd",), "line 3 is wrong"),
    ]


async def test_every_entry_has_a_row_that_tells_what_is_wrong_and_nothing_raises():
    class Hanging(ScriptedProvider):
        async def health(self):
            await asyncio.Event().wait()

    class Raising(ScriptedProvider):
        async def health(self):
            raise KeyError("colour")

    class Mute:
        """A provider that cannot even be asked."""

        async def aclose(self):
            pass

    plugins = ScriptedPlugins(
        ScriptedProvider(health=Health(False, "connection refused")),
        providers={"hanging": Hanging(), "raising": Raising(), "mute": Mute()},
    )
    plugins.specs["nowhere"] = replace(plugins.specs["scripted"], name="nowhere", endpoint=lambda _: None)
    broken = BrokenEntry("bad", "nobody", "x", PluginError("not installed"))
    names = ("hanging", "raising", "mute", "nowhere", "missing")
    others = [ModelEntry(name=name, provider=name, model="x") for name in names]
    project = Project("shop", "default", None, (entry("small"), *others, broken))
    found = by_entry(await Gateway(plugins).runtimes(project, timeout=0.05))

    assert not any(row.reachable for row in found.values())
    assert {name: row.detail.split("\n")[0] for name, row in found.items()} == {
        "small": "connection refused",
        "hanging": "No answer within 0.05 s.",
        "raising": "The provider 'raising' failed: KeyError: 'colour'",
        "mute": "The provider 'mute' failed: AttributeError: 'Mute' object has no attribute 'health'",
        "nowhere": "The provider 'nowhere' failed: TypeError: its `endpoint` returned None",
        "missing": "The provider 'missing' is not installed.",
        "bad": "not installed",
    }
