"""A project with a folder of files, and a server that embeds: its vectors follow from the texts alone."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import llamafarm
import pytest

sys.path[:0] = [str(Path(__file__).parent)]

from workplace import EmbeddingServer, Workplace  # noqa: E402


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingServer]:
    async with EmbeddingServer() as serving:
        yield serving


@pytest.fixture
async def place(tmp_path: Path, server: EmbeddingServer) -> AsyncIterator[Workplace]:
    """The project, open, with an empty database."""
    made = Workplace(tmp_path / "farm")
    made.configure(server.base_url)
    async with llamafarm.open(made.folder, environ=made.environ) as farm, made.opened(farm):
        yield made
