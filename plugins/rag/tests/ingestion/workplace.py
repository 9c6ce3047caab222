"""What the tests of ingestion work in: a project with files, a database, and a server that embeds."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import llamafarm
import numpy as np
from llamafarm_kit.testing import Asked, Peer, ScriptedUpstream
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.config.project import database_of, dataset_of
from llamafarm_rag.database.base import Database
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.reading import read
from llamafarm_rag.ingestion.processing import process
from llamafarm_rag.ingestion.report import Report

CONFIG = """
name: farm
runtime: {{models: [{{name: embedder, provider: openai, profile: generic, model: {model}, base_url: "{url}"}}]}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{{name: small, type: ModelEmbedder, config: {{model: embedder, batch_size: 8}}}}]
  data_processing_strategies: [{{name: short, chunk_size: {size}, chunk_overlap: 0}}]
datasets: [{{name: docs, sources: [docs]}}]
"""
DIMENSION = 16


def vector_of(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """The vector that the server makes of a text, of length 1."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


class EmbeddingServer(ScriptedUpstream):
    """Speaks OpenAI's wire. refuse: of the texts of a request, an error or None. pause: seconds before each answer."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.refuse: Callable[[Sequence[str]], tuple[int, str] | None] = lambda _: None
        self.pause = 0.0
        self.dimension = DIMENSION
        self.batches: list[list[str]] = []

    @property
    def texts(self) -> list[str]:
        """All texts that were embedded, but for the one that is asked for the length of vectors."""
        return [text for batch in self.batches for text in batch if text != "length"]

    async def _answer(self, asked: Asked, peer: Peer) -> None:
        if asked.method == "GET":
            await peer.answer(200, {"object": "list", "data": [{"id": "m"}, {"id": "other"}]})
            return
        texts = asked.body["input"]
        await asyncio.sleep(self.pause)
        if refusal := self.refuse(texts):
            status, message = refusal
            await peer.answer(status, {"error": {"message": message, "code": None, "param": "input"}})
            return
        self.batches.append(texts)
        rows = [vector_of(text, self.dimension).astype("<f4").tobytes() for text in texts]
        data = [
            {"object": "embedding", "index": at, "embedding": base64.b64encode(row).decode()}
            for at, row in enumerate(rows)
        ]
        await peer.answer(200, {"object": "list", "model": "m", "data": data})


class Direct:
    """Reads files in this process."""

    async def read(self, path: Path, processing: ProcessingStrategy) -> Document:
        return read(path, processing)


class Workplace:
    """A project folder, and its database once it is open. data: the folder in it that holds databases."""

    farm: llamafarm.Farm
    database: Database

    def __init__(self, folder: Path, data: str = "data") -> None:
        self.folder = folder
        self.environ: Mapping[str, str] = {"LF_DATA_DIR": str(folder / data)}
        (folder / "docs").mkdir(parents=True, exist_ok=True)

    def configure(self, url: str, *, model: str = "m", size: int = 32) -> None:
        (self.folder / "llamafarm.yaml").write_text(CONFIG.format(url=url, model=model, size=size))

    def write(self, name: str, text: str) -> None:
        """A file of the dataset."""
        path = self.folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def delete(self, name: str) -> None:
        (self.folder / "docs" / name).unlink()

    @asynccontextmanager
    async def opened(self, farm: llamafarm.Farm) -> AsyncIterator[Self]:
        """The database of the project of a farm, open."""
        self.farm = farm
        self.database = await open_database(farm.project, database_of(farm.project, None), self.environ)
        try:
            yield self
        finally:
            await self.database.aclose()

    async def process(self, **more: Any) -> Report:
        """Process its dataset; a process for reading is too dear for most tests."""
        dataset = dataset_of(self.farm.project, None)
        return await process(self.farm.project, dataset, self.database, self.farm, **{"reader": Direct(), **more})

    async def rows(self) -> dict[str, tuple[str, str, float]]:
        """All passages by their ids: file, text, and how near the vector is to another one."""
        stats = await self.database.stats()
        if not stats.passages:
            return {}
        compass = vector_of("compass", stats.embedder.dimension if stats.embedder else DIMENSION)
        matches = await self.database.nearest(compass, stats.passages)
        near = await self.database.similarities(compass, [match.passage.id for match in matches])
        return {
            match.passage.id: (match.passage.file, match.passage.text, round(near[match.passage.id], 4))
            for match in matches
        }
