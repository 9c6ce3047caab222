"""The ledger of a database: which files are done, which rows are theirs, and the rows themselves, in SQLite.

What the ledger says is what holds. The store of vectors is made to agree with it, and can be made anew from it, so that
neither a process that is killed nor a damaged index costs a single embedding. Each change of files and rows is one
transaction, on the disk before it counts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.database.base import EmbedderIdentity, FileRecord
from llamafarm_rag.database.ledger_schema import ledger_errors, prepare
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.database.passage_json import dump_passage, load_passage
from llamafarm_rag.errors import DatabaseError

PAGE = 500
"""How many rows a statement names, and are read at a time."""
FILE_COLUMNS = "dataset, path, shown, content, cut, size, chunks, done"


class Ledger:
    """One ledger, used from one thread at a time. Raises DatabaseError where its file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with ledger_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                prepare(self._db, path)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # What is in it

    def files(self, dataset: str | None = None) -> list[FileRecord]:
        """The files that are done, by dataset and path."""
        chosen = "" if dataset is None else "WHERE dataset = ?"
        statement = f"SELECT {FILE_COLUMNS} FROM files {chosen} ORDER BY dataset, path"  # noqa: S608 - our own words
        return [FileRecord(*row) for row in self._read(statement, *([] if dataset is None else [dataset]))]

    def passages_of(self, dataset: str) -> int:
        """How many rows the files of a dataset have."""
        return self._number("SELECT count(DISTINCT id) FROM owners WHERE dataset = ?", dataset)

    def owned(self) -> int:
        """How many rows are of files that are done."""
        return self._number("SELECT count(DISTINCT id) FROM owners")

    @property
    def has_files(self) -> bool:
        """Whether a file that is done has rows."""
        return bool(self._read("SELECT 1 FROM owners LIMIT 1"))

    def row_ids(self) -> set[str]:
        """The ids of all rows, those of files that are not done included."""
        return {row for (row,) in self._read("SELECT id FROM rows")}

    def pending_ids(self) -> set[str]:
        """The ids of rows whose file is not done."""
        return {row for (row,) in self._read("SELECT id FROM pending WHERE id NOT IN (SELECT id FROM owners)")}

    def doomed_ids(self) -> list[str]:
        """The ids of rows that the store may still have, and should not."""
        return [row for (row,) in self._read("SELECT id FROM doomed")]

    def rows(self, ids: Iterable[str]) -> Iterator[tuple[list[Passage], NDArray[np.float32]]]:
        """These rows with their vectors, some at a time."""
        for page in _pages(ids):
            marks = ",".join("?" * len(page))
            statement = f"SELECT id, text, fields, vector FROM rows WHERE id IN ({marks})"  # noqa: S608
            found = self._read(statement, *page)
            with ledger_errors(self._path):
                passages = [load_passage(row, text, fields) for row, text, fields, _ in found]
                yield passages, np.stack([np.frombuffer(vector, dtype=np.float32) for *_, vector in found])

    def sources(self, dataset: str) -> list[str]:
        """What `lf datasets add` named."""
        return [one for (one,) in self._read("SELECT source FROM sources WHERE dataset = ? ORDER BY position", dataset)]

    @property
    def generation(self) -> int:
        """Another number after each change of what can be found."""
        return int(self._fact("generation") or 0)

    @property
    def identity(self) -> EmbedderIdentity | None:
        """The model that the vectors come from."""
        strategy, model, dimension = (self._fact(name) for name in ("strategy", "model", "dimension"))
        return None if dimension is None else EmbedderIdentity(strategy or "", model or "", int(dimension))

    @property
    def is_new(self) -> bool:
        """Whether no store has agreed with it yet."""
        return self._fact("agreed") is None

    @property
    def is_clearing(self) -> bool:
        """Whether the store is still to be cleared."""
        return self._fact("clearing") is not None

    # Changes

    def agree(self) -> None:
        """The store has what the ledger says, and nothing else."""
        if self.is_new:
            with self._change():
                self._set_fact("agreed", "yes")

    def claim(self, identity: EmbedderIdentity) -> None:
        """Write down which model the vectors come from."""
        with self._change():
            self._set_fact("strategy", identity.strategy)
            self._set_fact("model", identity.model)
            self._set_fact("dimension", str(identity.dimension))

    def put(self, passages: Sequence[Passage], vectors: NDArray[np.float32], writer: str) -> None:
        """Keep rows of a file that is not done; they are the writer's until then."""
        blobs = [vector.tobytes() for vector in np.ascontiguousarray(vectors, dtype=np.float32)]
        listed = zip(passages, blobs, strict=True)
        rows = [(passage.id, passage.text, dump_passage(passage), blob) for passage, blob in listed]
        ids = [(passage.id,) for passage in passages]
        with self._change() as db:
            db.executemany("INSERT OR REPLACE INTO rows (id, text, fields, vector) VALUES (?, ?, ?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO pending (id, writer) VALUES (?, ?)", [(*row, writer) for row in ids])
            db.executemany("DELETE FROM doomed WHERE id = ?", ids)

    def finish(self, record: FileRecord, ids: Sequence[str]) -> None:
        """The file is done and these rows are its own; those that it had before are doomed.

        Raises DatabaseError where one of them was never put in.
        """
        key, rows = (record.dataset, record.path), [(row,) for row in dict.fromkeys(ids)]
        with self._change() as db:
            self._refuse_missing(record, ids)
            before = db.execute("SELECT id FROM owners WHERE dataset = ? AND path = ?", key).fetchall()
            db.execute("DELETE FROM owners WHERE dataset = ? AND path = ?", key)
            db.executemany("INSERT INTO owners (dataset, path, id) VALUES (?, ?, ?)", [(*key, *row) for row in rows])
            db.executemany("DELETE FROM pending WHERE id = ?", rows)
            values = [getattr(record, column) for column in FILE_COLUMNS.split(", ")]
            db.execute(f"INSERT OR REPLACE INTO files ({FILE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
            self._doom(row for (row,) in before)
            self._next_generation()

    def remove(self, dataset: str, path: str) -> None:
        """Forget a file; its rows are doomed."""
        with self._change() as db:
            key = (dataset, path)
            before = db.execute("SELECT id FROM owners WHERE dataset = ? AND path = ?", key).fetchall()
            db.execute("DELETE FROM owners WHERE dataset = ? AND path = ?", key)
            if db.execute("DELETE FROM files WHERE dataset = ? AND path = ?", key).rowcount:
                self._doom(row for (row,) in before)
                self._next_generation()

    def abandon(self, writers: Collection[str]) -> None:
        """Doom the rows that these writers put in and no file owns."""
        with self._change() as db:
            for writer in writers:
                rows = db.execute("SELECT id FROM pending WHERE writer = ?", (writer,)).fetchall()
                db.execute("DELETE FROM pending WHERE writer = ?", (writer,))
                self._doom(row for (row,) in rows)

    def take_back(self, ids: Sequence[str]) -> None:
        """Doom those of these rows that no file owns."""
        with self._change() as db:
            db.executemany("DELETE FROM pending WHERE id = ?", [(row,) for row in ids])
            self._doom(ids)

    def writers(self) -> list[str]:
        """Those that have rows whose file is not done."""
        return [writer for (writer,) in self._read("SELECT DISTINCT writer FROM pending")]

    def forget_doomed(self, ids: Iterable[str]) -> None:
        """The store has them no longer."""
        with self._change() as db:
            db.executemany("DELETE FROM doomed WHERE id = ?", [(row,) for row in ids])

    def begin_clearing(self) -> None:
        """Forget all rows, files and the model; the store is to be cleared before anything else."""
        with self._change() as db:
            for table in ("rows", "owners", "pending", "doomed", "files"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608
            db.execute("DELETE FROM facts WHERE name IN ('strategy', 'model', 'dimension')")
            self._set_fact("clearing", str(time.time()))
            self._next_generation()

    def end_clearing(self) -> None:
        """The store is cleared."""
        with self._change() as db:
            db.execute("DELETE FROM facts WHERE name = 'clearing'")

    def set_sources(self, dataset: str, sources: Sequence[str]) -> None:
        """Replace the sources of a dataset."""
        with self._change() as db:
            db.execute("DELETE FROM sources WHERE dataset = ?", (dataset,))
            rows = [(dataset, position, source) for position, source in enumerate(sources)]
            db.executemany("INSERT INTO sources (dataset, position, source) VALUES (?, ?, ?)", rows)

    # Parts of changes

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with ledger_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _doom(self, ids: Iterable[str]) -> None:
        """Of rows that a file or a writer has let go of, delete those that nobody else has."""
        for row in ids:
            if self._db.execute(_DELETE_FREE, (row,)).rowcount:
                self._db.execute("INSERT OR IGNORE INTO doomed (id) VALUES (?)", (row,))

    def _refuse_missing(self, record: FileRecord, ids: Sequence[str]) -> None:
        there = {
            row for page in _pages(ids) for (row,) in self._db.execute(_WHICH.format(",".join("?" * len(page))), page)
        }
        if missing := len(set(ids) - there):
            raise DatabaseError(
                f"{missing} of {len(ids)} passages of {record.shown} are not in the database.",
                hint="Its ingestion was interrupted: `lf datasets process` does the file again.",
                code="passages_missing",
                status=409,
            )

    def _next_generation(self) -> None:
        self._set_fact("generation", str(self.generation + 1))

    def _set_fact(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))

    def _fact(self, name: str) -> str | None:
        rows = self._read("SELECT value FROM facts WHERE name = ?", name)
        return rows[0][0] if rows else None

    def _number(self, statement: str, *values: str) -> int:
        return int(self._read(statement, *values)[0][0])

    def _read(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with ledger_errors(self._path):
            return self._db.execute(statement, values).fetchall()


_DELETE_FREE = """
DELETE FROM rows WHERE id = ?
AND NOT EXISTS (SELECT 1 FROM owners WHERE owners.id = rows.id)
AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.id = rows.id)
"""
_WHICH = "SELECT id FROM rows WHERE id IN ({})"


def _pages(items: Iterable[str]) -> Iterator[list[str]]:
    listed = list(items)
    return (listed[start : start + PAGE] for start in range(0, len(listed), PAGE))
