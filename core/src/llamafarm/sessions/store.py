"""The store of all conversations: a SQLite file, safe for several processes of one machine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from llamafarm.sessions.database import Database, Kind
from llamafarm.sessions.project import ProjectSessions

PATIENCE = 2.0
"""Seconds that a turn waits for the one before it: that one's answer may be read before its connection is closed."""

Result = TypeVar("Result")


class SessionStore:
    """The sessions of all projects. What has been written is on disk when the call returns."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._database = Database(path)
        self.patience = patience

    def of(self, place: str) -> ProjectSessions:
        """The sessions of the project at that place (`Project.identity`): nobody else finds them."""
        return ProjectSessions(self, place)

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await anyio.to_thread.run_sync(self._database.run, work, "read")

    async def write(self, work: Callable[[sqlite3.Connection], Result], kind: Kind = "keep") -> Result:
        """What `work` returns, committed. One that is cancelled has been done or not by then, and knows which."""
        writing = asyncio.ensure_future(anyio.to_thread.run_sync(self._database.run, work, kind))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise
