"""Models at their runtimes: what is known of them, fetching them, deleting them."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    ModelNotFound,
    OperationNotSupported,
    UpstreamError,
)
from llamafarm.gateway import Context, Gateway
from llamafarm.gateway.models import info_fields
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import ModelInfo, Progress
from llamafarm.providers.entry import ModelEntry
from llamafarm.services.base import ServiceStatus
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

pytestmark = pytest.mark.anyio

SMALL = ModelEntry(name="small", provider="scripted", model="org/small:Q4")
SHOP = Project("shop", "default", None, (SMALL,))
STEPS = (Progress("downloading", "pulling", 1, 2, "a.gguf", 1, 2), Progress("ready", "there"))


class Shelf(ScriptedProvider):
    """Has the models that the test gives it; pulls and removes are remembered."""

    def __init__(self, *models: ModelInfo, error: Exception | None = None, wait: asyncio.Event | None = None):
        super().__init__()
        self.models = {info.id: info for info in models}
        self.error = error
        self.wait = wait
        self.events: list[str] = []

    async def describe(self, model: str) -> ModelInfo:
        await self._obey()
        if model not in self.models:
            raise ModelNotFound(f"no {model}")
        return self.models[model]

    async def pull(self, call) -> None:
        for step in STEPS:
            call.progress(step)
        try:
            await self._obey()
        except asyncio.CancelledError:
            self.events.append(f"ended {call.entry.model}")
            raise
        self.calls.append(call)
        self.events.append(f"pulled {call.entry.model}")

    async def remove(self, call) -> None:
        await self._obey()
        self.events.append(f"removed {call.entry.model}")

    async def _obey(self) -> None:
        if self.wait is not None:
            await self.wait.wait()
        if self.error is not None:
            raise self.error


class Runtime:
    """A service that brings its provider up."""

    name = "scripted"

    def __init__(self, shelf: Shelf):
        self.shelf = shelf
        self.ensured = 0

    async def ensure(self, progress):
        self.ensured += 1
        self.shelf.error = None
        progress(Progress("starting", "Starting it"))
        return await self.status()

    async def status(self):
        return ServiceStatus("scripted", "stopped" if self.shelf.error else "running", "http://127.0.0.1:9")


def gateway(shelf: Shelf | ScriptedProvider, service: Runtime | None = None) -> Gateway:
    plugins = ScriptedPlugins(shelf)
    if service is not None:
        from dataclasses import replace

        plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: service)
    return Gateway(plugins)


async def state(shelf: Shelf, service: Runtime | None = None, within: float = 5.0):
    return await gateway(shelf, service).runtime_models.state(SMALL, timeout=within)


@pytest.mark.parametrize(
    ("known", "expected", "there"),
    [
        ({"loaded": True}, "loaded", True),
        ({"loaded": False, "downloaded": True}, "downloaded", True),
        ({"loaded": False}, "available", True),
        ({}, "available", True),
        ({"loaded": False, "downloaded": False}, "missing", False),
    ],
)
async def test_a_model_is_as_its_runtime_says(known, expected, there):
    found = await state(Shelf(ModelInfo(SMALL.model, **known)))

    assert (found.state, found.there) == (expected, there)
    assert found.info is not None
    assert found.info.id == SMALL.model


async def test_what_fetches_a_missing_model_is_said():
    found = await state(Shelf(ModelInfo(SMALL.model, downloaded=False)))

    assert found.detail == "`lf models pull` fetches it."


async def test_a_model_that_the_runtime_does_not_know_is_missing():
    found = await state(Shelf())

    assert (found.state, found.there, found.detail) == ("missing", False, "no org/small:Q4")


async def test_a_runtime_that_is_down_starts_on_first_use_where_it_is_a_service():
    down = Shelf(error=ConnectionFailed("nobody there"))
    service = Runtime(down)

    assert (await state(down, service)).state == "stopped"
    assert service.ensured == 0


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ConnectionFailed("nobody there"), "nobody there"),
        (AuthenticationFailed("wrong key"), "wrong key"),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops"),
    ],
)
async def test_a_runtime_that_does_not_answer_says_why(error, detail):
    found = await state(Shelf(error=error))

    assert (found.state, found.there) == ("unreachable", False)
    assert detail in found.detail


async def test_a_runtime_that_never_answers_is_given_up():
    found = await state(Shelf(wait=asyncio.Event()), within=0.01)

    assert (found.state, found.detail) == ("unreachable", "No answer within 0.01 s.")


async def test_every_entry_of_a_project_has_a_state_also_a_broken_one():
    odd = BrokenEntry("odd", "nobody", "x", ConfigError("line 3 is wrong"))
    project = Project("shop", "default", None, (odd, SMALL))
    states = await gateway(Shelf(ModelInfo(SMALL.model, loaded=True))).runtime_models.states(project, timeout=5)

    assert [(one.state, one.detail) for one in states] == [("broken", "line 3 is wrong"), ("loaded", "")]


async def test_a_pull_goes_to_the_entrys_provider_without_a_time_limit_and_tells_its_steps():
    shelf, steps = Shelf(), []
    await gateway(shelf).runtime_models.pull(SMALL, Context("req_1", progress=steps.append))

    assert shelf.events == ["pulled org/small:Q4"]
    assert (shelf.calls[0].entry, shelf.calls[0].deadline, shelf.calls[0].request_id) == (SMALL, None, "req_1")
    assert tuple(steps) == STEPS


@pytest.mark.parametrize("verb", ["pull", "remove", "show"])
async def test_the_service_is_started_first(verb):
    shelf = Shelf(ModelInfo(SMALL.model), error=ConnectionFailed("nobody there"))
    service = Runtime(shelf)
    await getattr(gateway(shelf, service).runtime_models, verb)(SMALL, Context("req_1"))

    assert service.ensured == 1


async def test_cancelling_a_pull_ends_the_runtimes_work():
    shelf = Shelf(wait=asyncio.Event())
    steps = asyncio.Queue()
    pulling = asyncio.create_task(
        gateway(shelf).runtime_models.pull(SMALL, Context("req_1", progress=steps.put_nowait))
    )
    await steps.get()
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling

    assert shelf.events == ["ended org/small:Q4"]


async def test_a_model_is_removed_at_its_runtime():
    shelf = Shelf()
    await gateway(shelf).runtime_models.remove(SMALL, Context("req_1"))

    assert shelf.events == ["removed org/small:Q4"]


@pytest.mark.parametrize(("verb", "word"), [("pull", "fetch"), ("remove", "delete")])
async def test_a_provider_that_cannot_says_so_and_what_to_do(verb, word):
    with pytest.raises(OperationNotSupported, match=f"'scripted' cannot {word} models") as caught:
        await getattr(gateway(ScriptedProvider()).runtime_models, verb)(SMALL, Context("req_1"))

    assert f"{word.capitalize()} org/small:Q4 by the means of the server at http://127.0.0.1:9" in str(caught.value)
    assert caught.value.status == 501


async def test_what_a_provider_should_not_have_raised_is_told_with_its_name():
    with pytest.raises(UpstreamError, match="'scripted' failed: KeyError"):
        await gateway(Shelf(error=KeyError("x"))).runtime_models.pull(SMALL, Context("req_1"))


def test_what_is_known_of_a_model_is_json_with_its_features_in_order():
    assert info_fields(ModelInfo("a", features=frozenset({"tools", "chat"})))["features"] == ["chat", "tools"]
    assert info_fields(ModelInfo("a"))["features"] is None


class Settled(Shelf):
    """Knows what the settings of an entry make of its model."""

    async def describe_entry(self, entry) -> ModelInfo:
        return ModelInfo(entry.name, downloaded=True, details={"problem": "`weights.bin` may run code."})


async def test_a_provider_that_knows_entries_is_asked_about_the_entry_and_what_is_wrong_is_told():
    gateway = Gateway(ScriptedPlugins(Settled()))
    assert (await gateway.runtime_models.show(SMALL, Context("req_1"))).id == "small"
    state = await gateway.runtime_models.state(SMALL, timeout=5)
    assert (state.state, state.detail) == ("downloaded", "`weights.bin` may run code.")
    await gateway.aclose()
