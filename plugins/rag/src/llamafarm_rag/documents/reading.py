"""A file as a document. Reading one may take long or never end: `Reader` bounds it."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from llamafarm_rag.config.processing import Kind, ProcessingStrategy
from llamafarm_rag.documents.composer import clean
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.kinds import parser_of
from llamafarm_rag.documents.source import Source, shown
from llamafarm_rag.errors import UnreadableFile

_READERS: dict[Kind, str] = {
    "text": "plain",
    "markdown": "markdown",
    "html": "web_page",
    "pdf": "pdf",
    "docx": "word",
    "csv": "table",
    "json": "items",
    "code": "code",
}
"""The modules of `readers/`, imported when a file of their kind is read."""


def read(path: Path, processing: ProcessingStrategy) -> Document:
    """What a file says.

    The parser of the strategy that names it reads it; a file that none names is read as text. Raises UnreadableFile,
    and nothing else, for one that is missing, empty, too large, broken, or no such file as its name says.
    """
    source = Source(path, _bytes_of(path, processing.max_file_bytes))
    parser = parser_of(path, processing)
    try:
        document = _reader_of(parser.type if parser else "text")(source)
    except UnreadableFile:
        raise
    except RecursionError:
        raise source.unreadable("cannot be read: it is nested too deeply") from None
    except MemoryError:
        raise source.unreadable("cannot be read: that takes more memory than there is") from None
    except Exception as error:  # libraries that read broken files raise whatever they please
        hint = "Open it in the program that wrote it, and save it once more."
        raise source.unreadable(f"seems to be broken: {_described(error)}", hint) from error
    if not document.blocks:
        raise source.unreadable("has no text")
    metadata = {name: clean(value) if isinstance(value, str) else value for name, value in document.metadata.items()}
    return replace(document, title=document.title or _name_in_words(path), metadata=metadata)


def _name_in_words(path: Path) -> str | None:
    """What the name of a file says: `herd-2024.csv` is of `herd 2024`."""
    return " ".join(re.split(r"[\W_]+", shown(Path(path.stem)))).strip() or None


def _reader_of(kind: Kind) -> Callable[[Source], Document]:
    reader: Callable[[Source], Document] = import_module(f"llamafarm_rag.documents.readers.{_READERS[kind]}").read
    return reader


def _bytes_of(path: Path, most: int) -> bytes:
    """All bytes of a file. Raises UnreadableFile."""
    source = Source(path, b"")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would have to be waited for
            raise source.unreadable("is no file")
        if status.st_size > most:
            raise _too_large(path, status.st_size, most)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise source.unreadable(f"cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > most:
        raise _too_large(path, len(data), most)
    if not data:
        raise source.unreadable("is empty")
    return data


def _too_large(path: Path, size: int, most: int) -> UnreadableFile:
    return UnreadableFile(
        f"{shown(path)} has {size:,} bytes; files of more than {most:,} are not read.",
        hint="Raise `max_file_bytes` of its data processing strategy in llamafarm.yaml.",
        status=422,
        code="unreadable_file",
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": .").replace("\n", " ")
