"""A database that cannot be opened, put aside, so that one can be made in its place."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.folder import LEDGER, database_folder
from llamafarm_rag.database.lock import KEPT, DatabaseLock
from llamafarm_rag.database.opening import close_unused
from llamafarm_rag.errors import DatabaseError


async def put_aside(
    project: llamafarm.Project, options: DatabaseOptions, environ: Mapping[str, str] = os.environ
) -> Path:
    """Move all that a database has on this disk into a folder beside it, and return that folder; nothing is deleted.

    What was put aside has the sources that `lf datasets add` named too: see `sources_in`. Raises DatabaseError while a
    process holds the database.
    """
    return await asyncio.to_thread(_put_aside, options, database_folder(project, options, environ))


def sources_in(aside: Path) -> dict[str, list[str]] | None:
    """What `lf datasets add` had named for each dataset, in the order it was; None where that cannot be read."""
    ledger = aside / LEDGER
    if not ledger.is_file():
        return None
    sources: dict[str, list[str]] = {}
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
            for dataset, source in db.execute("SELECT dataset, source FROM sources ORDER BY dataset, position"):
                sources.setdefault(str(dataset), []).append(str(source))
    except sqlite3.Error:
        return None
    return sources


def _put_aside(options: DatabaseOptions, folder: Path) -> Path:
    close_unused()
    lock = DatabaseLock(folder)
    if not lock.try_acquire():
        raise DatabaseError(
            f"The database {options.name!r} is held by a process, and cannot be put aside.",
            hint="End `lf serve` and whatever else uses it, then try again.",
            code="database_held",
        )
    try:
        aside = folder.with_name(f"{folder.name}.aside-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        aside.mkdir(mode=0o700)
        for file in [file for file in folder.iterdir() if file.name not in KEPT]:
            file.rename(aside / file.name)
        return aside
    finally:
        lock.release()
