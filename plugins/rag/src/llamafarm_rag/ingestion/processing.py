"""Bringing a database up to date with the files of its datasets, and building it anew."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import llamafarm

from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.config.project import database_of, datasets_of, processing_of
from llamafarm_rag.database.base import Database
from llamafarm_rag.database.folder import files_folder
from llamafarm_rag.documents.kinds import is_read
from llamafarm_rag.documents.worker import Reader
from llamafarm_rag.embedding.asking import embedder_of
from llamafarm_rag.embedding.asks import AsksModels
from llamafarm_rag.ingestion.changes import Changes, changes
from llamafarm_rag.ingestion.cutting import Cutter, DocumentReader, cut_of
from llamafarm_rag.ingestion.files import FoundFiles, find_files
from llamafarm_rag.ingestion.pipeline import Pipeline
from llamafarm_rag.ingestion.progress import Listener, Tally, ignore_progress
from llamafarm_rag.ingestion.report import FileRow, Report
from llamafarm_rag.ingestion.sources import sources_of


async def process(
    project: llamafarm.Project,
    dataset: Dataset,
    database: Database,
    asked: AsksModels,
    *,
    progress: Listener = ignore_progress,
    only: Collection[Path] | None = None,
    reader: DocumentReader | None = None,
) -> Report:
    """Read the files of a dataset that are new or have changed, and forget those that are gone.

    database: of the dataset. asked: who reaches the models, a `Farm`. only: files and folders; what lies outside of
    them stays as it is. reader: what reads the files, by default a process of its own.

    Cancelling it, or killing the process, leaves the files done that were done; to call it again goes on with the
    others. A file that cannot be read is a row of the report. Raises UsageError, ProviderError, and DatabaseError,
    which says how to rebuild the database where the embedding model is another one than before.
    """
    began = time.monotonic()
    embedder = embedder_of(project, database.options, asked)
    processing = processing_of(project, dataset)
    cut_hash = cut_of(processing, embedder.model)
    found, todo = await _compared(project, dataset, database, processing, cut_hash, only)
    for record in todo.removed:
        await database.remove(dataset.name, record.path)
    rows = [*todo.rows, *(FileRow(record.shown, "removed") for record in todo.removed)]
    tally = Tally(dataset.name, len(todo.work), sum(work.file.size for work in todo.work), progress)
    if todo.work:
        await database.claim(await embedder.identity())
        async with _reader(reader) as reading:
            cutter = Cutter(dataset.name, processing, reading, embedder, await embedder.longest())
            pipeline = Pipeline(dataset.name, cut_hash, cutter, embedder, database, tally)
            await pipeline.run(todo.work)
        rows += pipeline.rows
    return Report(
        dataset.name,
        database.options.name,
        tuple(sorted(rows, key=lambda row: row.file)),
        found.left_out,
        tally.chunks,
        time.monotonic() - began,
    )


async def rebuild(
    project: llamafarm.Project,
    database: Database,
    asked: AsksModels,
    *,
    progress: Listener = ignore_progress,
    reader: DocumentReader | None = None,
) -> list[Report]:
    """Forget all that a database holds, and process all datasets of it; the sources of datasets stay.

    The embedding model is asked first: where it cannot answer, the database stays as it was. From then on it holds what
    has been done so far: one that was killed or cancelled goes on with `process`, or begins anew with this. Raises as
    `process` does.
    """
    await embedder_of(project, database.options, asked).identity()
    await database.clear()
    own = [
        dataset
        for dataset in datasets_of(project)
        if database_of(project, dataset.database).name == database.options.name
    ]
    async with _reader(reader) as reading:
        return [await process(project, dataset, database, asked, progress=progress, reader=reading) for dataset in own]


async def forget(dataset: str, database: Database) -> int:
    """Take everything of a dataset out of a database, its sources included. Returns how many files it had."""
    records = await database.files(dataset)
    await database.set_sources(dataset, [])
    for record in records:
        await database.remove(dataset, record.path)
    return len(records)


async def _compared(
    project: llamafarm.Project,
    dataset: Dataset,
    database: Database,
    processing: ProcessingStrategy,
    cut_hash: str,
    only: Collection[Path] | None,
) -> tuple[FoundFiles, Changes]:
    """The files that there are, and what has to be done about them."""
    folder = project.path.parent.resolve() if project.path else Path.cwd()
    added = files_folder(project, dataset.name, os.environ)
    sources = sources_of([*dataset.sources, *await database.sources(dataset.name)], folder)

    def is_taken(path: Path) -> bool:
        """What a client has added was named by itself."""
        return path.is_relative_to(added) or is_read(path, processing=processing)

    found = await asyncio.to_thread(find_files, sources, [added, folder], is_taken)
    records = await database.files(dataset.name)
    if only is not None:
        found = replace(
            found,
            files=[file for file in found.files if _is_below(file.path, only)],
            missing=[place for place in found.missing if _is_below(place.path, only)],
            empty=[place for place in found.empty if _is_below(place.path, only)],
        )
        records = [record for record in records if _is_below(Path(record.path), only)]
    return found, await asyncio.to_thread(changes, found, records, cut_hash)


def _is_below(path: Path, places: Collection[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)


@asynccontextmanager
async def _reader(given: DocumentReader | None) -> AsyncIterator[DocumentReader]:
    """The reader that was given, or one of our own, whose process ends with it."""
    if given is not None:
        yield given
        return
    async with Reader() as own:
        yield own
