"""A database that this process holds: the ledger, a store of vectors that follows it, and the index of words.

What is kept, in this order: rows go into the ledger, then into the store; a file is done by one transaction of the
ledger; rows that nobody owns any more leave the ledger, then the store. A process that is killed in between leaves a
store that is behind its ledger, and the next one that opens the database has it catch up.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.database.base import DatabaseStats, EmbedderIdentity, FileRecord
from llamafarm_rag.database.blocking import Where
from llamafarm_rag.database.fitness import refuse_unfit
from llamafarm_rag.database.folder import LEDGER
from llamafarm_rag.database.ledger import Ledger
from llamafarm_rag.database.passage import Match, Passage
from llamafarm_rag.database.words import Words
from llamafarm_rag.database.writers import is_alive
from llamafarm_rag.errors import DatabaseError, DimensionMismatch, StoreDamaged
from llamafarm_rag.store.base import Store

PAGE = 1000
"""How many rows are handed to the store, and read from it, at a time."""
STORE = "store"
DAMAGED = "store.damaged"
WORDS = "words"
log = logging.getLogger(__name__)


class LocalDatabase:
    """One database in its folder. Raises DatabaseError where it cannot be opened."""

    def __init__(self, options: DatabaseOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._ledger = Ledger(folder / LEDGER)
        self._words = Words(folder / WORDS)
        self._is_shared = options.kind.is_shared(options.store_config)
        self._is_closed = False
        self._opened: Store | None = None
        try:
            if self._is_shared or self._ledger.is_clearing or (self._ledger.is_new and (folder / STORE).exists()):
                self._reach_store()
        except BaseException:
            self._ledger.close()
            raise

    # Searches

    def nearest(self, vector: NDArray[np.float32], limit: int, where: Where) -> list[Match]:
        """The nearest passages."""
        store = self._store
        self._refuse_empty()
        self._refuse_dimension(len(vector))
        return store.nearest(vector, limit, where)

    def matching(self, text: str, limit: int, where: Where) -> list[Match]:
        """The passages that share words with the text."""
        store = self._store
        self._refuse_empty()
        index = self._words.index(self._state(), self._searched)
        best = dict(index.best(text, limit, store.ids(where) if where else None))
        return [Match(passage, best[passage.id]) for passage in store.get(list(best))]

    def similarities(self, vector: NDArray[np.float32], ids: list[str]) -> dict[str, float]:
        """The cosine of the vector and each of the passages."""
        self._refuse_dimension(len(vector))
        return self._store.similarities(vector, ids)

    # Ingestion

    def claim(self, identity: EmbedderIdentity) -> None:
        """The vectors that follow come from this model."""
        before = self._ledger.identity
        if before is not None and self._ledger.has_files:
            if before.dimension != identity.dimension:
                raise DimensionMismatch(self._made_with(before, identity), hint=self._rebuild)
            if before.model != identity.model:
                raise DatabaseError(self._made_with(before, identity), hint=self._rebuild, status=409)
        elif before is not None and before.dimension != identity.dimension:
            self.clear()
        if before != identity:
            self._ledger.claim(identity)

    def files(self, dataset: str | None) -> list[FileRecord]:
        """The files that are done."""
        return self._ledger.files(dataset)

    def put(self, passages: list[Passage], vectors: NDArray[np.float32], writer: str) -> None:
        """Keep passages of a file that is not done."""
        if not passages:
            return
        if self._ledger.identity is None:
            raise DatabaseError(
                f"Nobody has said which model the vectors of {self._name} come from.", hint=self._rebuild
            )
        refuse_unfit(passages, vectors)
        self._refuse_dimension(vectors.shape[1])
        store = self._store
        self._ledger.put(passages, vectors, writer)
        try:
            store.add(passages, vectors)
        except BaseException:  # what the store does not take must not stand in the way of the next opening
            self._ledger.take_back([passage.id for passage in passages])
            raise

    def finish(self, record: FileRecord, ids: list[str]) -> None:
        """The file is done."""
        self._ledger.finish(record, ids)
        self._delete_doomed()

    def remove(self, dataset: str, path: str) -> None:
        """Forget a file."""
        self._ledger.remove(dataset, path)
        self._delete_doomed()

    def abandon(self, writer: str) -> None:
        """Forget what the writer has not finished."""
        self._ledger.abandon([writer])
        self._delete_doomed()

    def clear(self) -> None:
        """Forget everything but the sources."""
        store = self._store
        self._ledger.begin_clearing()
        store.clear()
        self._words.forget()
        self._ledger.end_clearing()

    # What is known of it

    def sources(self, dataset: str) -> list[str]:
        """What `lf datasets add` named."""
        return self._ledger.sources(dataset)

    def set_sources(self, dataset: str, sources: list[str]) -> None:
        """Replace them."""
        self._ledger.set_sources(dataset, sources)

    def prepare(self) -> None:
        """Open the store."""
        self._store.count()

    def stats(self) -> DatabaseStats:
        """How large it is; bytes are those on this disk."""
        files = self._ledger.files()
        datasets = sorted({record.dataset for record in files})
        return DatabaseStats(
            passages=self._store.count() if self._is_shared else self._ledger.owned(),
            files=len(files),
            datasets={dataset: self._ledger.passages_of(dataset) for dataset in datasets},
            embedder=self._ledger.identity,
            bytes=sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file()),
        )

    def close(self) -> None:
        """Close store and ledger."""
        if not self._is_closed:
            self._is_closed = True
            try:
                if self._opened is not None:
                    self._opened.close()
            finally:
                self._ledger.close()

    # Opening

    @property
    def _store(self) -> Store:
        """The store, in agreement with the ledger. It is opened when it is first needed: much is told without it."""
        return self._opened or self._reach_store()

    def _reach_store(self) -> Store:
        self._opened = self._opened_store()
        try:
            self._catch_up()
        except BaseException:
            self._opened.close()
            self._opened = None
            raise
        return self._opened

    def _opened_store(self) -> Store:
        """The store; one whose files cannot be read is put aside, since the ledger has all that it had."""
        folder = self._folder / STORE
        try:
            return self._open_store(folder)
        except StoreDamaged as error:
            if self._is_shared or (self._ledger.is_new and folder.exists()):
                raise
            log.warning("%s has its store made anew from its ledger. %s", self._name, error.message)
            shutil.rmtree(self._folder / DAMAGED, ignore_errors=True)
            folder.rename(self._folder / DAMAGED)
            return self._open_store(folder)

    def _open_store(self, folder: Path) -> Store:
        return self._options.kind.open(self._options.store_config, folder, self._options.name)

    def _catch_up(self) -> None:
        """Have the store agree with the ledger, and the ledger forget what writers that have ended did not finish."""
        if self._ledger.is_clearing:
            self.clear()
        self._ledger.abandon([writer for writer in self._ledger.writers() if not is_alive(writer)])
        self._delete_doomed()
        there, wanted = set(self._store.ids()), self._ledger.row_ids()
        if not self._is_shared and (strangers := there - wanted):
            self._refuse_lost_ledger(len(strangers))
            self._store.delete(list(strangers))
        for passages, vectors in self._ledger.rows(wanted - there):
            self._store.add(passages, vectors)
        self._ledger.agree()

    def _refuse_lost_ledger(self, rows: int) -> None:
        if self._ledger.is_new:
            message = f"{self._name} has {rows} passages, and no ledger that says of which files they are."
            raise DatabaseError(message, hint=self._rebuild, code="ledger_missing")

    def _delete_doomed(self) -> None:
        if doomed := self._ledger.doomed_ids():
            self._store.delete(doomed)
            self._ledger.forget_doomed(doomed)

    # Checks

    @property
    def _name(self) -> str:
        return f"The database {self._options.name!r}"

    @property
    def _rebuild(self) -> str:
        return f"`lf rag rebuild {self._options.name}` embeds all its files anew."

    def _refuse_empty(self) -> None:
        if self._ledger.has_files or (self._is_shared and self._store.count()):
            return
        pending = len(self._ledger.pending_ids())
        if pending or self._ledger.identity is not None:
            raise DatabaseError(
                f"{self._name} is half-built: not one of its files is done, {pending} passages are on their way.",
                hint="`lf datasets process` goes on with it.",
                code="database_half_built",
            )
        hint = "`lf datasets add FILES` names files, and `lf datasets process` reads them."
        raise DatabaseError(f"{self._name} is empty.", hint=hint, code="database_empty")

    def _refuse_dimension(self, length: int) -> None:
        identity = self._ledger.identity
        if identity is not None and identity.dimension != length:
            raise DimensionMismatch(
                f"{self._name} has vectors of {identity.dimension} numbers ({identity.model}), and is given {length}.",
                hint=self._rebuild,
            )

    def _made_with(self, before: EmbedderIdentity, identity: EmbedderIdentity) -> str:
        return (
            f"{self._name} was made with {before.model} ({before.dimension} numbers a vector), "
            f"and is now to be used with {identity.model} ({identity.dimension})."
        )

    # For the index of words

    def _state(self) -> str:
        """Another one after each change of what is searched; at a shared store others change it too."""
        count = f"-{self._store.count()}" if self._is_shared else ""
        return f"{self._ledger.generation}{count}"

    def _searched(self) -> Iterator[Passage]:
        pending = self._ledger.pending_ids()
        ids = [row for row in self._store.ids() if row not in pending]
        for start in range(0, len(ids), PAGE):
            yield from self._store.get(ids[start : start + PAGE])
