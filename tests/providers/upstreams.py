"""Our API on a real socket, in front of one model entry of an installed provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.gateway import Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import Project
from llamafarm.sessions import SessionStore
from llamafarm.web.server import Server
from llamafarm_kit.testing.served import served

MODEL = "entry"
PLUGINS = PluginManager(environ={})


def project(provider: str, model: str, base_url: str, **fields: Any) -> Project:
    """A project with one entry, called MODEL."""
    said = {"name": MODEL, "provider": provider, "model": model, "base_url": base_url, **fields}
    entry = PLUGINS.provider(provider).entry.model_validate(said)
    return Project("shop", "default", None, (entry,))


@contextmanager
def api(of: Project, folder: Path, plugins: Any = PLUGINS) -> Iterator[str]:
    """Serve the project; gives the address, ending in `/v1`."""
    gateway = Gateway(plugins, sessions=SessionStore(folder / "sessions.db"))
    settings = Settings(gateway, Projects(of), plugins, Limits())
    with served(Server(create_app(settings), grace=2, announce=lambda url: None)) as root:
        yield f"{root}/v1"
