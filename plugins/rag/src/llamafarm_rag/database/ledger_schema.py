"""The tables of a ledger, and what is said of a file that is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llamafarm_rag.errors import DatabaseError

VERSION = 1
APPLICATION = 0x4C465247
"""What SQLite files of ours are marked with: `LFRG`."""
BUSY_SECONDS = 10
SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rows (id TEXT PRIMARY KEY, text TEXT NOT NULL, fields TEXT NOT NULL, vector BLOB NOT NULL);
CREATE TABLE files (
    dataset TEXT NOT NULL, path TEXT NOT NULL, shown TEXT NOT NULL, content TEXT NOT NULL, cut TEXT NOT NULL,
    size INTEGER NOT NULL, chunks INTEGER NOT NULL, done REAL NOT NULL, PRIMARY KEY (dataset, path)
) WITHOUT ROWID;
CREATE TABLE owners (
    dataset TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (dataset, path, id)
) WITHOUT ROWID;
CREATE INDEX owners_by_id ON owners (id);
CREATE TABLE pending (id TEXT PRIMARY KEY, writer TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE doomed (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE sources (
    dataset TEXT NOT NULL, position INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY (dataset, position)
) WITHOUT ROWID;
"""


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables where there are none, and have each change on the disk before it counts.

    Raises DatabaseError for a file that a later version or another program has written.
    """
    db.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    ((version,),) = db.execute("PRAGMA user_version").fetchall()
    if version == 0:
        db.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif (application := db.execute("PRAGMA application_id").fetchone()[0]) != APPLICATION:
        raise _broken(path, f"another program made it (application {application})")
    elif version > VERSION:
        raise DatabaseError(
            f"The database in {path.parent} was written by a later version of llamafarm-rag.",
            hint="Install that version again, or another database in its place: `lf rag rebuild DATABASE`.",
            code="ledger_too_new",
        )


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite says, and rows that cannot be read, as DatabaseError."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        message = f"The ledger {path} cannot be written or read: {error}."
        raise DatabaseError(message, hint="Is there room on the disk, and may you write there?") from error
    except sqlite3.Error as error:
        raise _broken(path, str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, f"a row of it cannot be read ({type(error).__name__}: {error})") from error


def _broken(path: Path, why: str) -> DatabaseError:
    return DatabaseError(
        f"The ledger {path} cannot be used: {why}.",
        hint="Nothing was deleted. `lf rag rebuild DATABASE` puts it aside and reads all files again.",
        code="ledger_broken",
    )
