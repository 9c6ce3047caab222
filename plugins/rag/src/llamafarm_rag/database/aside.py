"""A database that cannot be opened, put aside, so that one can be made in its place."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.folder import database_folder
from llamafarm_rag.database.lock import KEPT, DatabaseLock
from llamafarm_rag.errors import DatabaseError


async def put_aside(
    project: llamafarm.Project, options: DatabaseOptions, environ: Mapping[str, str] = os.environ
) -> Path:
    """Move all that a database has on this disk into a folder beside it, and return that folder; nothing is deleted.

    What was put aside has the sources that `lf datasets add` named too: the new database knows only those of
    llamafarm.yaml. Raises DatabaseError while a process holds the database.
    """
    return await asyncio.to_thread(_put_aside, options, database_folder(project, options, environ))


def _put_aside(options: DatabaseOptions, folder: Path) -> Path:
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
