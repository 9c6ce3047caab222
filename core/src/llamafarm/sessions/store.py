"""The store of all conversations: a SQLite file, safe for several processes of one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from llamafarm.errors import ConfigError
from llamafarm.sessions.project import ProjectSessions

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    holder TEXT
);
CREATE INDEX sessions_of_project ON sessions (project, updated);
CREATE TABLE messages (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
"""
BUSY_SECONDS = 10.0
"""How long a transaction waits for another process's."""
PATIENCE = 2.0
"""Seconds that a turn waits for the one before it: that one's answer may be read before its connection is closed."""

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


class SessionStore:
    """The sessions of all projects: one connection in write-ahead mode, used by one thread at a time.

    `read` and `write` return what their `work` returns; nothing of it is kept where it raises. They raise ConfigError
    where the file cannot be used.
    """

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def of(self, place: str) -> ProjectSessions:
        """The sessions of the project at that place (`Project.identity`): nobody else finds them."""
        return ProjectSessions(self, place)

    async def read(self, work: Work[Result]) -> Result:
        return await anyio.to_thread.run_sync(self._run, work, "BEGIN")

    async def write(self, work: Work[Result], *, keep: bool = True) -> Result:
        """What `work` does is visible to all when the call returns. One that is cancelled has been done or not by then.

        keep: it is on disk too, so that neither `kill -9` nor a power cut loses it.
        """
        writing = asyncio.ensure_future(anyio.to_thread.run_sync(self._run, work, "BEGIN IMMEDIATE", keep))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise

    def _run(self, work: Work[Result], begin: str, keep: bool = False) -> Result:
        try:
            with self._lock:
                db = self._connection()
                db.execute(f"PRAGMA synchronous = {'FULL' if keep else 'NORMAL'}")
                with db:  # commits what was begun, or rolls it back where something is raised
                    db.execute(begin)
                    return work(db)
        except (sqlite3.Error, OSError) as error:
            hint = "Is the disk full, or the file damaged? Moving it away begins a new one."
            raise ConfigError(f"The session file {self.path} cannot be used: {error}.", hint=hint) from error

    def _connection(self) -> sqlite3.Connection:
        """The open connection; a new one where the file has been deleted or replaced."""
        self._make_private()
        if self._db is None or self._file != _identity(self.path):
            if self._db is not None:
                self._db.close()
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, db.close)
            _prepare(db)
            self._db, self._file = db, _identity(self.path)
        return self._db

    def _make_private(self) -> None:
        """Conversations are for their owner alone; SQLite gives its side files the mode of the first one."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return (found.st_dev, found.st_ino)


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    if _version(db) == SCHEMA_VERSION:
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    if _version(db) == 0:  # nobody was faster
        for statement in SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")
    if _version(db) != SCHEMA_VERSION:
        raise sqlite3.DatabaseError("it was written by a newer version of LlamaFarm")


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)
