"""The SQLite file of the sessions: its schema, its mode, one transaction at a time."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
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

Kind = Literal["read", "write", "keep"]
Result = TypeVar("Result")


class Database:
    """One connection, used by one thread at a time, in write-ahead mode."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def run(self, work: Callable[[sqlite3.Connection], Result], kind: Kind) -> Result:
        """Return what `work` returns, committed; nothing is kept where it raises.

        kind: `read`; `write`, which is visible to all when it returns; `keep`, which is on disk too, so that neither
        `kill -9` nor a power cut loses it. Blocks: to be called in a thread. Raises ConfigError where the file cannot
        be used.
        """
        try:
            with self._lock, self._transaction(kind) as db:
                return work(db)
        except (sqlite3.Error, OSError) as error:
            hint = "Is the disk full, or the file damaged? Moving it away begins a new one."
            raise ConfigError(f"The session file {self.path} cannot be used: {error}.", hint=hint) from error

    @contextmanager
    def _transaction(self, kind: Kind) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute(f"PRAGMA synchronous = {'FULL' if kind == 'keep' else 'NORMAL'}")
        db.execute("BEGIN" if kind == "read" else "BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

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
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))


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
