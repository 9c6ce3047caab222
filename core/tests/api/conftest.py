"""A real server for each test: uvicorn on a free port of the loopback address, in a thread, always stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.gateway import Gateway
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry
from llamafarm.sessions import SessionStore
from llamafarm.testing.scripted import ScriptedPlugins, ScriptedProvider

BOUND = 20.0


class RunningServer:
    """url: ends in `/v1`. root: the same without it."""

    def __init__(self, settings: Settings) -> None:
        config = uvicorn.Config(
            create_app(settings), port=0, log_config=None, access_log=False, server_header=False, ws="none"
        )
        config.timeout_graceful_shutdown = 5
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self.settings = settings

    def start(self) -> RunningServer:
        self._thread.start()
        ready = threading.Event()
        for _ in range(int(BOUND / 0.01)):
            if self._server.started or not self._thread.is_alive() or ready.wait(0.01):
                break
        assert self._server.started
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.root}/v1"
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(BOUND)
        assert not self._thread.is_alive()


ENTRIES = (
    ModelEntry(name="small", provider="scripted", model="scripted-small"),
    ModelEntry(name="large", provider="scripted", model="scripted-large"),
)
PROJECT = Project("shop", "default", None, ENTRIES)


@contextmanager
def servers(folder: Path) -> Iterator[Callable[..., RunningServer]]:
    """start(provider, limits=..., project=...) starts a server and returns it; all are stopped at the end."""
    running: list[RunningServer] = []

    def start(provider: Any = None, *, plugins: Any = None, **given: Any) -> RunningServer:
        plugins = plugins or ScriptedPlugins(provider or ScriptedProvider())
        gateway = Gateway(plugins, sessions=SessionStore(folder / "sessions.db", patience=0.3))
        projects = given.get("projects") or Projects(given.get("project", PROJECT))
        settings = Settings(gateway, projects, plugins, given.get("limits", Limits()))
        running.append(RunningServer(settings).start())
        return running[-1]

    try:
        yield start
    finally:
        for server in running:
            server.stop()


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
