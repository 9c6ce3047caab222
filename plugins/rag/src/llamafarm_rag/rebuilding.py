"""A database embedded anew, also one that cannot be opened any more."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.project import database_of, datasets_of
from llamafarm_rag.database.aside import put_aside, sources_in
from llamafarm_rag.database.folder import files_folder
from llamafarm_rag.embedding.asking import embedder_of
from llamafarm_rag.errors import DatabaseError, StoreDamaged
from llamafarm_rag.ingestion.processing import rebuild
from llamafarm_rag.ingestion.progress import Listener
from llamafarm_rag.ingestion.report import Report
from llamafarm_rag.library import opened

LOST = ("ledger_broken", "ledger_missing", "ledger_too_new")
"""Codes of errors after which a database can only be begun anew."""
log = logging.getLogger(__name__)


async def rebuild_database(farm: llamafarm.Farm, options: DatabaseOptions, progress: Listener) -> Sequence[Report]:
    """Embed all that the datasets of a database have.

    One that cannot be opened is put aside, and the log says where it lies; the sources that `lf datasets add` named are
    taken over where they can be read, and the files that clients have added in any case. Raises as `rebuild` does.
    """
    try:
        return await _rebuilt(farm, options, progress)
    except DatabaseError as error:
        if error.code not in LOST and not isinstance(error, StoreDamaged):
            raise
        log.warning("%s", error.message)
    await embedder_of(farm.project, options, farm).identity()  # nothing is moved where nothing could be embedded
    aside = await put_aside(farm.project, options)
    sources = await asyncio.to_thread(sources_in, aside)
    log.warning("The database %r was put aside, as it was: %s. %s", options.name, aside, _taken_over(sources))
    return await _rebuilt(farm, options, progress, _with_uploads(farm.project, options, sources or {}))


async def _rebuilt(
    farm: llamafarm.Farm,
    options: DatabaseOptions,
    progress: Listener,
    sources: Mapping[str, Sequence[str]] | None = None,
) -> Sequence[Report]:
    """sources: those of each dataset, where the database does not know them."""
    async with opened(farm, options) as database:
        for dataset, named in (sources or {}).items():
            await database.set_sources(dataset, named)
        return await rebuild(farm.project, database, farm, progress=progress)


def _with_uploads(
    project: llamafarm.Project, options: DatabaseOptions, sources: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """The sources, and beside them the folders of files that clients have added to datasets of this database."""
    more: dict[str, Sequence[str]] = {}
    for dataset in datasets_of(project):
        folder = files_folder(project, dataset.name, os.environ)
        if folder.is_dir() and database_of(project, dataset.database).name == options.name:
            more[dataset.name] = list(dict.fromkeys([*sources.get(dataset.name, ()), str(folder)]))
    return {**sources, **more}


def _taken_over(sources: Mapping[str, Sequence[str]] | None) -> str:
    if not sources:
        return "No sources that `lf datasets add` had named can be read from it: add again what there was."
    return "The sources that `lf datasets add` had named were taken over."
