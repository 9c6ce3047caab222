"""An API server of a project with documents, beside a server that embeds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.config import load_project
from llamafarm.gateway import Gateway
from llamafarm.plugins.manager import PluginManager
from llamafarm_rag.database.opening import close_unused

sys.path[:0] = [str(Path(__file__).parents[1] / "ingestion")]

from workplace import EmbeddingServer, Workplace  # noqa: E402


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, whose project has two files in the folder `docs`."""
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "farm" / "data"))
    place = Workplace(tmp_path / "farm")
    place.write("cows.md", "# Cows\n\nBerta gives milk at five in the morning.")
    place.write("pigs.md", "# Pigs\n\nPigs are fed with barley.")
    async with EmbeddingServer() as server:
        place.configure(server.base_url)
        plugins = PluginManager()
        project = load_project(place.folder / "llamafarm.yaml", plugins)
        gateway = Gateway(plugins)
        app = create_app(Settings(gateway, Projects(project), plugins, Limits()))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/v1", timeout=30) as client:
            yield client
        await gateway.aclose()
        await asyncio.to_thread(close_unused)
