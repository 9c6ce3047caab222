"""Files on their way into a database: some are read and cut while others are embedded and written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from llamafarm import all_of
from llamafarm.errors import ContextLengthExceeded, InvalidRequest, UsageError

from llamafarm_rag.database.base import Database, FileRecord
from llamafarm_rag.documents.source import shown
from llamafarm_rag.embedding.base import Embedder
from llamafarm_rag.errors import UnreadableFile
from llamafarm_rag.ingestion.changes import Work
from llamafarm_rag.ingestion.cutting import CutFile, Cutter
from llamafarm_rag.ingestion.progress import Tally
from llamafarm_rag.ingestion.report import FileRow, Outcome
from llamafarm_rag.ingestion.window import Window

READ_AT_ONCE = 4
"""Files: while the tokens of some are counted, which takes its time at a busy runtime, another one is read."""
BATCHES_AT_ONCE = 3
"""One is executed, one waits at the runtime, one is on its way (benchmarks/rag.py)."""
WRITTEN_AT_ONCE = 1024
"""Passages: each writing costs the store something, however few they are."""
ON_THEIR_WAY = 4096
"""Passages that are cut and not written yet."""
Item = TypeVar("Item")


class BatchEmbedder(Embedder, Protocol):
    """An embedder that says how many texts it sends in one request."""

    batch_size: int


class Pipeline:
    """Brings files of one dataset into a database. Each is written once all of it has vectors.

    cut_hash: how they are read, cut and embedded. rows: what has become of files, in the order in which they ended.
    """

    def __init__(
        self, dataset: str, cut_hash: str, cutter: Cutter, embedder: BatchEmbedder, database: Database, tally: Tally
    ) -> None:
        self.rows: list[FileRow] = []
        self._dataset = dataset
        self._cut_hash = cut_hash
        self._cutter = cutter
        self._embedder = embedder
        self._database = database
        self._tally = tally
        self._window = Window(ON_THEIR_WAY)
        self._passages: asyncio.Queue[tuple[CutFile, int] | None] = asyncio.Queue()
        self._embedded: asyncio.Queue[CutFile | None] = asyncio.Queue()

    async def run(self, work: Iterable[Work]) -> None:
        """Do these files. Raises ProviderError and DatabaseError; what was done until then stays done.

        A file that cannot be read, or has a text that the model refuses, is a row and no error.
        """
        await all_of([self._read_all(iter(work)), self._embed_all(), self._write_all()])

    async def _read_all(self, work: Iterator[Work]) -> None:
        async def reading() -> None:
            for file in work:
                await self._read(file)

        await all_of(reading() for _ in range(READ_AT_ONCE))
        self._passages.put_nowait(None)

    async def _read(self, work: Work) -> None:
        try:
            file = await self._cutter.cut(work, self._cut_hash)
        except UnreadableFile as error:
            self._fail(work, error.message, error.hint, uncounted=work.file.size)
            return
        self._tally.read(work.file.shown)
        await self._window.enter(len(file.passages))
        for number in range(len(file.passages)):
            self._passages.put_nowait((file, number))
        if not file.passages:
            self._embedded.put_nowait(file)

    async def _embed_all(self) -> None:
        async def embedding() -> None:
            while batch := await _next(self._passages, self._embedder.batch_size):
                await self._embed(batch)

        await all_of(embedding() for _ in range(BATCHES_AT_ONCE))
        self._embedded.put_nowait(None)

    async def _embed(self, batch: Sequence[tuple[CutFile, int]]) -> None:
        """Embed passages of whatever files. Where one is refused, the others are asked for without it."""
        batch = [(file, number) for file, number in batch if file.failure is None]
        if not batch:
            return
        try:
            vectors = await self._embedder.vectors([file.texts[number] for file, number in batch], "passage")
        except (ContextLengthExceeded, InvalidRequest) as error:
            if len(batch) == 1:
                await self._refuse(batch[0][0], error)
                return
            half = len(batch) // 2
            await self._embed(batch[:half])
            await self._embed(batch[half:])
            return
        for (file, number), vector in zip(batch, vectors, strict=True):
            file.vectors[number] = vector
            if file.is_embedded:
                self._embedded.put_nowait(file)
        self._tally.embedded(len(batch), sum(file.bytes_of_passage for file, _ in batch))

    async def _refuse(self, file: CutFile, error: ContextLengthExceeded | InvalidRequest) -> None:
        if file.failure is None:
            file.failure = error.message
            left = (len(file.passages) - len(file.vectors)) * file.bytes_of_passage
            self._fail(file.work, f"The model refuses a text of it: {error.message}", error.hint, left)
            await self._window.leave(len(file.passages))

    async def _write_all(self) -> None:
        while files := await _next(self._embedded, WRITTEN_AT_ONCE, lambda file: len(file.passages)):
            await self._write(files)

    async def _write(self, files: Sequence[CutFile]) -> None:
        """Write whole files. Where the database cannot keep a passage, the others are written without its file."""
        try:
            await self._put(files)
        except UsageError as error:
            if len(files) > 1:
                for file in files:
                    await self._write([file])
                return
            self._fail(files[0].work, error.message, error.hint, uncounted=0)
            await self._window.leave(len(files[0].passages))
            return
        for file in files:
            await self._database.finish(self._record(file), [passage.id for passage in file.passages])
            outcome: Outcome = "changed" if file.work.before else "added"
            self.rows.append(FileRow(file.work.file.shown, outcome, len(file.passages)))
            self._tally.done(0 if file.passages else file.work.file.size)
            await self._window.leave(len(file.passages))

    async def _put(self, files: Sequence[CutFile]) -> None:
        passages = [passage for file in files for passage in file.passages]
        vectors = [file.vectors[number] for file in files for number in range(len(file.passages))]
        for start in range(0, len(passages), WRITTEN_AT_ONCE):
            end = start + WRITTEN_AT_ONCE
            await self._database.put(passages[start:end], np.stack(vectors[start:end]))

    def _record(self, file: CutFile) -> FileRecord:
        source = file.work.file
        return FileRecord(
            self._dataset,
            str(source.path),
            source.shown,
            file.work.content,
            self._cut_hash,
            source.size,
            len(file.passages),
            time.time(),
        )

    def _fail(self, work: Work, cause: str, hint: str | None, uncounted: float) -> None:
        """uncounted: bytes of it that have not been told yet."""
        before = work.before.chunks if work.before else 0
        stays = " What was read of it before stays in the database." if before else ""
        told = cause.replace(shown(work.file.path), work.file.shown)
        self.rows.append(FileRow(work.file.shown, "failed", before, f"{told}{stays}", hint))
        self._tally.done(uncounted)


async def _next(queue: asyncio.Queue[Item | None], most: int, size: Callable[[Item], int] = lambda _: 1) -> list[Item]:
    """What waits in a queue, up to `most` in size, and the first one at least: it is waited for.

    Empty at the end, which is a None in the queue; it stays there for others.
    """
    items: list[Item] = []
    held = 0
    while (not items or not queue.empty()) and held < most:
        item = await queue.get()
        if item is None:
            queue.put_nowait(None)
            break
        items.append(item)
        held += size(item)
    return items
