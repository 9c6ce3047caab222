"""How long the chunks of a file are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llamafarm.errors import UsageError

from llamafarm_rag.config.processing import MIN_CHUNK_SIZE, ProcessingStrategy
from llamafarm_rag.documents.kinds import parser_of

DEFAULT_CHUNK_SIZE = 160
"""About what a small embedder sees at once best: of 64 to 240, 128 and 160 find most (`lf eval rag`)."""
_OVERLAP_SHARE = 8
_SPARED_TOKENS = 16
"""What an embedder keeps of the length that its author tells: a size that is larger by no more is meant as that."""
_ADDED_TOKENS = 4
"""What a model puts around a text by itself, at the most: it reads that many less of the text."""


@dataclass(frozen=True)
class ChunkSize:
    """The longest chunk, and how much of it begins the next one, in tokens of the embedder."""

    size: int
    overlap: int


def chunk_size(path: Path, processing: ProcessingStrategy, longest: int | None) -> ChunkSize:
    """The sizes for a file.

    longest: how many tokens the embedder reads of a text, with those that it adds itself (`Embedder.longest`). Raises
    UsageError for sizes that do not fit it or each other.
    """
    parser = parser_of(path, processing)
    asked = (parser and parser.chunk_size) or processing.chunk_size
    size = _fitting(asked, longest, processing.name)
    overlap = processing.chunk_overlap if parser is None or parser.chunk_overlap is None else parser.chunk_overlap
    if overlap is None:
        return ChunkSize(size, size // _OVERLAP_SHARE)
    if overlap >= size:
        raise _wrong(f"chunk_overlap is {overlap}, and chunks have {size} tokens at the most", processing.name)
    return ChunkSize(size, overlap)


def _fitting(asked: int | None, longest: int | None, strategy: str) -> int:
    if longest is None:
        return asked or DEFAULT_CHUNK_SIZE
    if asked is not None and asked > longest + _SPARED_TOKENS:
        raise _wrong(f"chunk_size is {asked}, and the embedder reads {longest} tokens of a text", strategy)
    size = min(asked or DEFAULT_CHUNK_SIZE, longest - _ADDED_TOKENS)
    if size < MIN_CHUNK_SIZE:
        raise _wrong(f"the embedder reads {longest} tokens of a text, which is too little for any chunk", strategy)
    return size


def _wrong(what: str, strategy: str) -> UsageError:
    hint = "See chunk_size and chunk_overlap under `data_processing_strategies` of llamafarm.yaml."
    return UsageError(f"Data processing strategy {strategy!r}: {what}.", hint=hint, status=400, code="chunk_size")
