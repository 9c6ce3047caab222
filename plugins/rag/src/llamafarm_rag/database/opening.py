"""A project's database, opened: once in a process, however many use it there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
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
    folder, linger = database_folder(project, options, environ), linger_seconds.get()
    opening = asyncio.ensure_future(asyncio.to_thread(_open, options, folder, linger))
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
    """A folder whose database is open in this process, and how many use it. end: when nobody does, for a while."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    holding: Holding | None = None
    options: DatabaseOptions | None = None
    end: threading.Timer | None = None


linger_seconds: ContextVar[float] = ContextVar("linger_seconds", default=0.0)
"""How long a database that is opened from here stays open after its last use: a server is asked again, most often."""
_places: dict[Path, _Place] = {}
_guard = threading.Lock()


def _open(options: DatabaseOptions, folder: Path, linger: float) -> OpenedDatabase:
    with _guard:
        place = _places.setdefault(folder, _Place())
    with place.lock:
        if place.end is not None:
            place.end.cancel()
            place.end = None
        if place.users == 0 and place.options != options:  # llamafarm.yaml has changed
            _let_go(place)
        if place.holding is None:
            place.holding, place.options = Holding(options, folder), options
        place.users += 1
        return OpenedDatabase(options, place.holding, lambda: _close(place, linger))


def _close(place: _Place, linger: float) -> None:
    with place.lock:
        place.users -= 1
        if place.users:
            return
        if linger:
            place.end = threading.Timer(linger, _close_unused, [place])
            place.end.daemon = True  # a process that ends does not wait for it
            place.end.start()
        else:
            _let_go(place)


def close_unused() -> None:
    """Close the databases that stay open though nobody uses them."""
    for place in list(_places.values()):
        _close_unused(place)


def _close_unused(place: _Place) -> None:
    with place.lock:
        if place.users == 0:
            _let_go(place)


def _let_go(place: _Place) -> None:
    holding, place.holding = place.holding, None
    if place.end is not None:
        place.end.cancel()
        place.end = None
    if holding is not None:
        holding.close()
