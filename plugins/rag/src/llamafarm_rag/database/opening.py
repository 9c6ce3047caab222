"""A project's database, opened: once in a process, however many use it there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.folder import database_folder
from llamafarm_rag.database.holding import Holding
from llamafarm_rag.database.opened import OpenedDatabase


async def open_database(
    project: llamafarm.Project, options: DatabaseOptions, environ: Mapping[str, str] = os.environ
) -> OpenedDatabase:
    """Open a database of the project; whoever opened it closes it. Raises DatabaseError where that cannot be done.

    This process holds it while no other one does; else that one is asked, and serves the same.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(_open, options, database_folder(project, options, environ)))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: asyncio.Future[OpenedDatabase]) -> None:
    """Nobody waits for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().release()


@dataclass
class _Place:
    """A folder whose database is open in this process, and how many use it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    holding: Holding | None = None


_places: dict[Path, _Place] = {}
_guard = threading.Lock()


def _open(options: DatabaseOptions, folder: Path) -> OpenedDatabase:
    with _guard:
        place = _places.setdefault(folder, _Place())
    with place.lock:
        if place.holding is None:
            place.holding = Holding(options, folder)
        place.users += 1
        return OpenedDatabase(options, place.holding, lambda: _close(place))


def _close(place: _Place) -> None:
    with place.lock:
        place.users -= 1
        if place.users == 0 and place.holding is not None:
            holding, place.holding = place.holding, None
            holding.close()
