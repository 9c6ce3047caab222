"""The SQLite file of the sessions: its schema, its mode, one transaction at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from llamafarm.errors import ConfigError

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

Result = TypeVar("Result")


class Database:
    """Write-ahead logging, and each commit on disk before it returns: `kill -9` and power cuts lose nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, work: Callable[[sqlite3.Connection], Result], begin: Literal["BEGIN", "BEGIN IMMEDIATE"]) -> Result:
        """Return what `work` returns, committed; nothing is kept where it raises.

        Blocks: to be called in a thread. Raises ConfigError where the file cannot be used.
        """
        try:
            with self._transaction(begin) as db:
                return work(db)
        except (sqlite3.Error, OSError) as error:
            hint = "Is the disk full, or the file damaged? Moving it away begins a new one."
            raise ConfigError(f"The session file {self.path} cannot be used: {error}.", hint=hint) from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each transaction: nothing to share between threads, nothing to close later."""
        self._make_private()
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(db)
            db.execute(begin)
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # rolls back what is not committed

    def _make_private(self) -> None:
        """Conversations are for their owner alone; SQLite gives its side files the mode of the first one."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = FULL")
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
