"""`lf`, run beside a server that embeds."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

sys.path[:0] = [str(Path(__file__).parents[1] / "ingestion")]

from llamafarm.cli.main import lf  # noqa: E402
from workplace import EmbeddingServer  # noqa: E402

CONFIG = """
name: farm
runtime: {{models: [{{name: embedder, provider: openai, profile: generic, model: m, base_url: "{url}"}}]}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{{name: small, type: ModelEmbedder, config: {{model: embedder}}}}]
datasets: [{{name: docs}}, {{name: later, auto_process: false}}]
"""


@dataclass
class Farmer:
    """Somebody at a command line, in the folder of a project."""

    folder: Path

    async def lf(self, *words: str) -> Result:
        """Type a command. It has an event loop of its own, in a thread: the server is in this one."""
        return await asyncio.to_thread(CliRunner().invoke, lf, ["--cwd", str(self.folder), *words])

    async def json(self, *words: str) -> Any:
        """What a command prints with `--json`."""
        done = await self.lf(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingServer]:
    async with EmbeddingServer() as running:
        yield running


@pytest.fixture
async def farmer(server: EmbeddingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Farmer:
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    made = Farmer(tmp_path / "farm")
    made.write("llamafarm.yaml", CONFIG.format(url=server.base_url))
    made.write("docs/cows.md", "# Cows\n\nBerta gives milk at five in the morning.")
    made.write("docs/pigs.md", "# Pigs\n\nPigs are fed with barley.")
    return made
