"""What `/health` says, and what `/health/live` does not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from llamafarm.errors import PluginError
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import Health
from llamafarm.providers.entry import ModelEntry
from llamafarm.services.base import ServiceStatus
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider

DOWN = ScriptedProvider(health=Health(False, "connection refused"))
UP = ScriptedProvider(health=Health(True, "It answers.", latency=0.0123))


def entry(name: str, provider: str, **given) -> ModelEntry:
    return ModelEntry(name=name, provider=provider, model="x", **given)


def health(serve, *names: str, plugins=None, models=None) -> httpx.Response:
    plugins = plugins or ScriptedPlugins(providers={"up": UP, "down": DOWN})
    entries = models or tuple(entry(f"m{at}", name) for at, name in enumerate(names))
    server = serve(plugins=plugins, project=Project("shop", "default", None, entries))
    return httpx.get(f"{server.root}/health")


def test_everything_works(serve):
    answer = health(serve, "up", "up")
    body = answer.json()
    assert (answer.status_code, body["status"], body["summary"]) == (200, "healthy", "Everything works.")
    assert [component["name"] for component in body["components"]] == [
        "plugins",
        "configuration",
        "model:m0",
        "model:m1",
    ]
    assert body["components"][2]["latency_ms"] == 12.3


def test_one_runtime_of_two_is_down(serve):
    answer = health(serve, "up", "down")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["summary"] == "Look at: model:m1."
    assert answer.json()["components"][3]["message"] == "connection refused"


def test_no_model_can_be_used(serve):
    answer = health(serve, "down")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


class Stopped:
    """A service that is not up."""

    name = "scripted"

    def __init__(self, obstacle: str | None = None) -> None:
        self.obstacle = obstacle

    async def status(self) -> ServiceStatus:
        return ServiceStatus("scripted", "stopped", "http://127.0.0.1:9", obstacle=self.obstacle)


def test_a_runtime_that_starts_on_its_first_use_is_idle_and_that_is_fine(serve):
    plugins = ScriptedPlugins(DOWN)
    plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: Stopped())
    body = health(serve, "scripted", plugins=plugins).json()
    assert body["status"] == "healthy"
    assert body["components"][2]["status"] == "idle"


def test_a_runtime_that_cannot_be_started_is_unhealthy_and_says_why(serve):
    plugins = ScriptedPlugins(DOWN)
    plugins.specs["scripted"] = replace(plugins.specs["scripted"], service=lambda _: Stopped("It is not installed."))
    model = health(serve, "scripted", plugins=plugins).json()["components"][2]
    assert (model["status"], model["message"]) == ("unhealthy", "It is not installed.")


def test_a_broken_entry_and_a_broken_plugin_are_named(serve):
    plugins = ScriptedPlugins(providers={"up": UP})
    plugins.warnings.append("The plugin 'odd' cannot be loaded.")
    broken = BrokenEntry("bad", "nobody", "x", PluginError("not installed"))
    body = health(serve, plugins=plugins, models=(entry("good", "up"), broken)).json()
    assert body["status"] == "degraded"
    assert body["summary"] == "Look at: plugins, model:bad."


def test_slow_runtimes_are_asked_side_by_side(serve, monkeypatch):
    class Meeting(ScriptedProvider):
        """Answers only once as many runtimes as there are have been asked."""

        def __init__(self, guests):
            super().__init__()
            self.guests = guests
            self.all_here = asyncio.Event()

        async def health(self):
            self.guests -= 1
            if self.guests == 0:
                self.all_here.set()
            await self.all_here.wait()
            return Health(True)

    monkeypatch.setattr("llamafarm.api.health.CHECK_SECONDS", 15.0)
    plugins = ScriptedPlugins(providers={"meeting": Meeting(4)})
    models = tuple(entry(f"m{at}", "meeting", base_url=f"http://127.0.0.1:{at + 1}") for at in range(4))
    assert health(serve, plugins=plugins, models=models).json()["status"] == "healthy"


def test_a_runtime_that_hangs_does_not_hold_up_the_answer(serve, monkeypatch):
    class Hanging(ScriptedProvider):
        async def health(self):
            await asyncio.Event().wait()

    monkeypatch.setattr("llamafarm.api.health.CHECK_SECONDS", 0.05)
    body = health(serve, "up", "hanging", plugins=ScriptedPlugins(providers={"up": UP, "hanging": Hanging()})).json()
    assert body["components"][3]["message"] == "No answer within 0.05 s."


@pytest.mark.parametrize("path", ["/health/live", "/health"])
def test_a_server_without_a_project_is_healthy(serve, path):
    assert httpx.get(f"{serve(project=None).root}{path}").status_code == 200


def test_the_liveness_probe_says_that_and_no_more(serve):
    assert httpx.get(f"{serve().root}/health/live").json() == {"status": "ok"}


class Asking(ScriptedProvider):
    """Counts how often its health is asked for; answers once `may_answer` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def health(self) -> Health:
        self.asked += 1
        await asyncio.sleep(0.05)
        return Health(True)


def test_many_who_ask_at_once_ask_the_runtimes_once(serve, monkeypatch):
    monkeypatch.setattr("llamafarm.api.recent.FRESH_SECONDS", 60)
    provider = Asking()
    server = serve(provider, project=Project("shop", "default", None, (entry("chat", "scripted"),)))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{server.root}/health"), range(8)))
    assert {answer.json()["status"] for answer in answers} == {"healthy"}
    assert provider.asked == 1


def test_after_a_moment_the_runtimes_are_asked_again(serve, monkeypatch):
    monkeypatch.setattr("llamafarm.api.recent.FRESH_SECONDS", 0)
    provider = Asking()
    server = serve(provider, project=Project("shop", "default", None, (entry("chat", "scripted"),)))
    for _ in range(2):
        httpx.get(f"{server.root}/health")
    assert provider.asked == 2
