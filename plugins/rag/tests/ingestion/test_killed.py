"""An ingestion that is killed again and again ends as one that nobody disturbed."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import signal
from pathlib import Path

import llamafarm
import pytest
from workplace import EmbeddingServer, Workplace

pytestmark = pytest.mark.anyio

KILLS = 20
FILES = 60
BOUND = 60.0
IMPORTED = ["chromadb.api.client", "chromadb.api.rust", "llamafarm_rag.database.opening", "llamafarm_rag.store.chroma",
            "llamafarm_rag.ingestion.processing", "llamafarm_rag.documents.reading", "llamafarm.farm.farm",
            "llamafarm_openai_compat.provider", "llamafarm_kit.testing"]  # fmt: skip
"""What a process that ingests imports: these modules once, in the process that the others are forked from."""


@pytest.fixture(scope="module")
def processes():
    """Makes processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def write_first(place: Workplace) -> None:
    """What a first ingestion finds."""
    for number in range(0, FILES, 2):
        place.write(
            f"{number:02}.md", f"# Gate {number}\n\nGate {number} is shut.\n\n# Key\n\nKey {number} hangs there."
        )


def write_second(place: Workplace) -> None:
    """What it finds later: some files are new, some have changed, some are gone."""
    for number in range(FILES):
        place.write(f"{number:02}.md", f"# Gate {number}\n\nGate {number} is open.\n\n# Key\n\nKey {number} is lost.")
    for number in range(0, FILES, 6):
        place.delete(f"{number:02}.md")


async def undisturbed(folder: Path, data: str) -> dict[str, tuple[str, str, float]]:
    """The rows after an ingestion that runs to its end, in a data directory of its own."""
    place = Workplace(folder, data)
    async with llamafarm.open(folder, environ=place.environ) as farm, place.opened(farm):
        await place.process()
        assert (await place.process()).totals["unchanged"] == len(await place.database.files("docs"))
        return await place.rows()


async def killed(process, server: EmbeddingServer, chance: random.Random) -> None:
    """Start it, let it work for a while, and kill it."""
    process.start()
    batches = len(server.batches) + chance.randint(0, 2)
    while process.is_alive() and len(server.batches) <= batches:  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(0.001)
    await asyncio.sleep(chance.random() * 0.03)
    process.kill()
    process.join(BOUND)


async def test_whatever_moment_it_is_killed_at_the_rows_are_those_of_an_undisturbed_run(tmp_path, processes, server):
    from killed import ingest

    chance = random.Random(15)
    place = Workplace(tmp_path / "farm")
    place.configure(server.base_url)
    write_first(place)
    await undisturbed(place.folder, "data")
    write_second(place)
    server.pause = 0.01
    exits = []
    for _ in range(KILLS):
        process = processes.Process(target=ingest, args=(place.folder,))
        await killed(process, server, chance)
        exits.append(process.exitcode)
    assert exits.count(-signal.SIGKILL) >= KILLS - 2
    assert await undisturbed(place.folder, "data") == await undisturbed(place.folder, "undisturbed")
