"""A real server for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.gateway import Gateway
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.sessions import SessionStore
from llamafarm.web.server import Server
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider
from llamafarm_kit.testing.served import served


@dataclass
class RunningServer:
    """root: its URL without a path. url: ends in `/v1`."""

    settings: Settings
    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    @property
    def port(self) -> int:
        return int(self.root.rpartition(":")[2])


ENTRIES = (
    ModelEntry(name="small", provider="scripted", model="scripted-small"),
    ModelEntry(name="large", provider="scripted", model="scripted-large"),
)
PROJECT = Project("shop", "default", None, ENTRIES)


@contextmanager
def servers(folder: Path) -> Iterator[Callable[..., RunningServer]]:
    """start(provider, limits=..., project=...) starts a server and returns it; all are stopped at the end."""

    def start(provider: Any = None, *, plugins: Any = None, **given: Any) -> RunningServer:
        plugins = plugins or ScriptedPlugins(provider or ScriptedProvider())
        gateway = Gateway(plugins, sessions=SessionStore(folder / "sessions.db", patience=0.3))
        projects = given.get("projects") or Projects(given.get("project", PROJECT))
        settings = Settings(gateway, projects, plugins, given.get("limits", Limits()))
        server = Server(create_app(settings), grace=5, announce=lambda url: None)
        return RunningServer(settings, running.enter_context(served(server)))

    with ExitStack() as running:
        yield start


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers for one test."""
    with servers(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shop_provider() -> ScriptedProvider:
    """What stands behind `shop`."""
    return ScriptedProvider("Hello from the farm.")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shop_provider: ScriptedProvider) -> Iterator[RunningServer]:
    """One server for all tests of a module."""
    with servers(tmp_path_factory.mktemp("shop")) as start:
        yield start(shop_provider)
