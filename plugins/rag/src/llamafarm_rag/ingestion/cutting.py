"""Files as passages: read, cut, and named so that doing a file again makes the same rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from llamafarm_rag.chunking.chunk import Chunk
from llamafarm_rag.chunking.sizes import chunk_size
from llamafarm_rag.chunking.splitting import cut
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.database.passage import Passage
from llamafarm_rag.documents.document import Document
from llamafarm_rag.embedding.base import Embedder, Vectors
from llamafarm_rag.ingestion.changes import Work

CUT_VERSION = 2
"""Goes up when the same file, read and cut as before, gives other passages: files are done again then."""


class DocumentReader(Protocol):
    """What reads files: `llamafarm_rag.documents.worker.Reader`."""

    async def read(self, path: Path, processing: ProcessingStrategy) -> Document:
        """The document that a file is. Raises UnreadableFile."""


@dataclass(eq=False)
class CutFile:
    """A file on its way into the database.

    texts: what is embedded of each passage. vectors: of the passages that have some already, by their numbers.
    """

    work: Work
    passages: list[Passage]
    texts: list[str]
    vectors: dict[int, Vectors] = field(default_factory=dict)
    failure: str | None = None

    @property
    def bytes_of_passage(self) -> float:
        """How much of the file each passage stands for."""
        return self.work.file.size / len(self.passages)

    @property
    def is_embedded(self) -> bool:
        """Whether all passages have vectors."""
        return len(self.vectors) == len(self.passages)


def cut_of(processing: ProcessingStrategy, model: str) -> str:
    """A hash of how files are read, cut and embedded. model: `EmbedderIdentity.model`."""
    settings = processing.model_dump(mode="json", exclude={"name", "description", "max_file_bytes"})
    told = json.dumps([CUT_VERSION, model, settings], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class Cutter:
    """Reads and cuts the files of one dataset. longest: how many tokens the embedder reads of a text."""

    def __init__(
        self,
        dataset: str,
        processing: ProcessingStrategy,
        reader: DocumentReader,
        embedder: Embedder,
        longest: int | None,
    ) -> None:
        self._dataset = dataset
        self._processing = processing
        self._reader = reader
        self._embedder = embedder
        self._longest = longest

    async def cut(self, work: Work, cut_hash: str) -> CutFile:
        """The passages of a file, none of which has a vector yet. Raises UnreadableFile, and what counting raises."""
        path = work.file.path
        wanted = chunk_size(path, self._processing, self._longest)
        document = await self._reader.read(path, self._processing)
        chunks = await cut(document, self._embedder.count_tokens, wanted.size, wanted.overlap)
        passages = _passages(self._dataset, work, document, chunks, cut_hash)
        return CutFile(work, passages, [chunk.embedded for chunk in chunks])


def _passages(dataset: str, work: Work, document: Document, chunks: Sequence[Chunk], cut_hash: str) -> list[Passage]:
    name = "\0".join([dataset, str(work.file.path), work.content, cut_hash])
    return [
        Passage(
            id=hashlib.sha256(f"{name}\0{number}".encode()).hexdigest()[:32],
            text=chunk.text,
            file=work.file.shown,
            dataset=dataset,
            number=number,
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            heading=chunk.heading,
            metadata=document.metadata,
        )
        for number, chunk in enumerate(chunks)
    ]
