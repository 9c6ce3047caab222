"""The databases and datasets of an open project: what commands, routes and evaluations ask of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.config.project import database_of
from llamafarm_rag.config.retrieval import RetrievalStrategy
from llamafarm_rag.database.base import Database
from llamafarm_rag.database.opening import open_database
from llamafarm_rag.embedding.asking import ModelEmbedder, embedder_of
from llamafarm_rag.errors import DatabaseError
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Retrieval
from llamafarm_rag.retrieval.retrieving import retrieve


@asynccontextmanager
async def opened(farm: llamafarm.Farm, options: DatabaseOptions) -> AsyncIterator[Database]:
    """A database of the project, closed afterwards. Raises DatabaseError where it cannot be opened."""
    database = await open_database(farm.project, options)
    try:
        yield database
    finally:
        await database.aclose()


@asynccontextmanager
async def database_for(farm: llamafarm.Farm, dataset: Dataset) -> AsyncIterator[Database]:
    """The database of a dataset, closed afterwards."""
    async with opened(farm, database_of(farm.project, dataset.database)) as database:
        yield database


async def search(
    farm: llamafarm.Farm, question: Question, options: DatabaseOptions, strategy: RetrievalStrategy
) -> Retrieval:
    """The passages for a question. Raises what `retrieve` and `open_database` raise."""
    async with opened(farm, options) as database:
        embedder = embedder_of(farm.project, options, farm)
        await is_made_with(database, embedder)
        await database.prepare()
        return await retrieve(question, database, embedder, strategy, farm.ask)


async def is_made_with(database: Database, embedder: ModelEmbedder) -> bool:
    """Whether the vectors of a database are of this model; one that has none yet is of no model.

    Raises DatabaseError where they are of another: they would have nothing to do with each other, be they of one length
    or not.
    """
    kept = (await database.stats()).embedder
    if kept is not None and kept.model != embedder.model:
        name = database.options.name
        raise DatabaseError(
            f"The database {name!r} has vectors of {kept.model}, and llamafarm.yaml names {embedder.model} now.",
            hint=f"`lf rag rebuild {name}` embeds everything anew.",
            status=409,
            code="another_embedder",
        )
    return kept is not None


async def database_row(farm: llamafarm.Farm, options: DatabaseOptions) -> dict[str, Any]:
    """How large a database is, and which model its vectors come from, as JSON values."""
    async with opened(farm, options) as database:
        return {"name": options.name, "type": options.type, **asdict(await database.stats())}


async def dataset_row(farm: llamafarm.Farm, dataset: Dataset) -> dict[str, Any]:
    """How much of a dataset is in its database, as JSON values."""
    details = await dataset_details(farm, dataset)
    files = details["files"]
    chunks = sum(file["chunks"] for file in files)
    return {**details, "sources": len(details["sources"]), "files": len(files), "chunks": chunks}


async def dataset_details(farm: llamafarm.Farm, dataset: Dataset) -> dict[str, Any]:
    """The sources of a dataset, and its files that are in its database, as JSON values."""
    async with database_for(farm, dataset) as database:
        files = sorted(await database.files(dataset.name), key=lambda file: file.shown)
        sources = [*dataset.sources, *await database.sources(dataset.name)]
    return {
        "name": dataset.name,
        "database": database.options.name,
        "sources": sources,
        "files": [
            {"file": file.shown, "chunks": file.chunks, "bytes": file.size, "hash": file.content, "done": file.done}
            for file in files
        ],
    }
