"""What has to be done so that a database has what the files of a dataset say now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llamafarm_rag.database.base import FileRecord
from llamafarm_rag.ingestion.files import FoundFiles, Missing, SourceFile
from llamafarm_rag.ingestion.report import FileRow


@dataclass(frozen=True)
class Work:
    """A file to be read. content: the hash of its bytes. before: its record, where it is in the database already."""

    file: SourceFile
    content: str
    before: FileRecord | None = None


@dataclass(frozen=True)
class Changes:
    """What has to be done.

    work: files to be read, in their order. removed: records of files that are gone. rows: what can be said already, of
    files that are as they were or cannot be looked at.
    """

    work: list[Work]
    removed: list[FileRecord]
    rows: list[FileRow]


def changes(found: FoundFiles, records: Sequence[FileRecord], cut: str) -> Changes:
    """Compare the files with the records of their dataset. cut: a hash of how they are read, cut and embedded.

    The content decides, and every file is read for it: size and time of a file stay the same when another one of that
    size is copied over it with its own time, as many programs do. A record whose file is not there is that of a removed
    one, unless nothing is known of the place where it was.
    """
    known = {record.path: record for record in records}
    work, rows = list[Work](), list[FileRow]()
    for file in found.files:
        before = known.pop(str(file.path), None)
        try:
            content = content_of(file.path)
        except OSError as error:
            rows.append(FileRow(file.shown, "failed", cause=f"It cannot be opened: {error.strerror or error}."))
            continue
        if before is not None and (before.content, before.cut) == (content, cut):
            rows.append(FileRow(file.shown, "unchanged", before.chunks))
        else:
            work.append(Work(file, content, before))
    kept = _kept(found, known)
    removed = [record for path, record in known.items() if path not in kept]
    return Changes(work, removed, [*rows, *_told(found, kept)])


def content_of(path: Path) -> str:
    """A hash of the bytes of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(found: FoundFiles, known: Mapping[str, FileRecord]) -> dict[str, Missing]:
    """The records that were not found, and of whose files nothing is known; each with the place that hides it."""
    hidden = [*found.missing, *found.empty]
    places = {path: next((one for one in hidden if Path(path).is_relative_to(one.path)), None) for path in known}
    return {path: place for path, place in places.items() if place is not None}


def _told(found: FoundFiles, kept: Mapping[str, Missing]) -> Iterable[FileRow]:
    """A row for each place that cannot be looked at, and for names that are no text. An empty folder may be meant."""
    hiding = list(kept.values())
    for place in (*found.missing, *(one for one in found.empty if one in hiding)):
        files = hiding.count(place)
        stays = f" {files} {'file' if files == 1 else 'files'} that came from it stay in the database." if files else ""
        hint = "To forget them, take the source out of the dataset." if files else None
        yield FileRow(place.shown, "failed", cause=f"It {place.cause}.{stays}", hint=hint)
    for name in found.unnamed:
        yield FileRow(name, "failed", cause="Its name is no text in UTF-8.", hint="Rename it.")
