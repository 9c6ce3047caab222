"""What belongs to one request of the spool, and how it is written: within limits, which the disk itself accounts for.

What lies on the disk is the only account of it. So limits hold for all processes that write, nothing has to be given
back, and a file that is gone counts no more.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.media.formats import HEAD_BYTES
from llamafarm_universal.media.settings import SPOOL, SPOOL_REQUEST, SPOOL_TOTAL
from llamafarm_universal.messages import Blob
from llamafarm_universal.messages.blob import MAX_INLINE_BYTES

STEP_BYTES = 2**20
"""A file that grows asks for room in steps of this size, so that the disk is not looked at for every piece."""
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpoolFolder:
    """What belongs to one request. Any process that knows its path may write into it, within the same limits.

    request_bytes, spool_bytes: what may lie in this folder, and in the spool that it belongs to. Writers at the same
    time may pass them by STEP_BYTES each.
    """

    path: Path
    request_bytes: int
    spool_bytes: int

    def new_path(self) -> Path:
        """Where a new file may be written."""
        return self.path / uuid4().hex

    def create(self) -> SpoolFile:
        """A new file, open for writing. Raises RequestFailed where the disk does not take one."""
        return SpoolFile(self.new_path(), self)

    def keep(self, content: bytes, media_type: str) -> Blob:
        """A blob of these bytes, which are written down where they are too many to travel inline.

        Raises RequestFailed where there is no room for them.
        """
        with BlobWriter(self) as writer:
            writer.write(content)
            return writer.finish(media_type)

    def path_of(self, blob: Blob) -> Path:
        """The file of a blob; one that travels inline is written down."""
        if blob.path is not None:
            return blob.path
        with self.create() as file:
            file.write(blob.data or b"")
        return file.path

    def room(self) -> int:
        """How many bytes may still be written. Raises RequestFailed where there are none."""
        left = min(self.request_bytes - _size(self.path), self.spool_bytes - _size(self.path.parent))
        if left <= 0:
            self.check(1)
        return max(left, 0)

    def check(self, more: int) -> None:
        """Raise RequestFailed where `more` bytes would pass a limit."""
        if _size(self.path) + more > self.request_bytes:
            raise RequestFailed(
                "too_large",
                f"The files of this request together are larger than {self.request_bytes:,} bytes.",
                hint=f"Send fewer or smaller ones, or have the operator of the server raise {SPOOL_REQUEST}.",
            )
        if _size(self.path.parent) + more > self.spool_bytes:
            raise RequestFailed(
                "out_of_space",
                f"The server holds files of {self.spool_bytes:,} bytes for requests that are under way, and no more.",
                hint=f"Ask again in a moment, or have the operator of the server raise {SPOOL_TOTAL}.",
            )


class SpoolFile:
    """A file that grows. What would pass a limit is refused before it is written."""

    def __init__(self, path: Path, folder: SpoolFolder) -> None:
        self.path = path
        self.size = 0
        self._folder = folder
        self._granted = 0
        with writing():
            self._file = path.open("xb")

    def write(self, piece: bytes) -> None:
        """Append to it. Raises RequestFailed where that passes a limit, or the disk is full."""
        with writing():
            if self.size + len(piece) > self._granted:
                self._file.flush()  # what is not on the disk would not count
                self._folder.check(len(piece))
                self._granted = self.size + max(len(piece), STEP_BYTES)
            self._file.write(piece)
        self.size += len(piece)

    def close(self) -> None:
        """Write out what is left of it. Raises RequestFailed where the disk is full."""
        with writing():
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlobWriter:
    """Gathers the bytes of a blob: in memory, and in a file once they are too many to travel inline."""

    def __init__(self, folder: SpoolFolder) -> None:
        self.size = 0
        self._folder = folder
        self._start = bytearray()
        self._file: SpoolFile | None = None

    @property
    def head(self) -> bytes:
        """The first bytes, which tell what it is."""
        return bytes(self._start[:HEAD_BYTES])

    def write(self, piece: bytes) -> None:
        """Append. Raises RequestFailed where there is no room."""
        self.size += len(piece)
        if self._file is None and self.size > MAX_INLINE_BYTES:
            self._file = self._folder.create()
            self._file.write(bytes(self._start))
        if self._file is not None:
            self._file.write(piece)
        self._start += piece[: MAX_INLINE_BYTES - len(self._start)]

    def finish(self, media_type: str) -> Blob:
        if self._file is None:
            return Blob(media_type, self.size, data=bytes(self._start))
        self._file.close()
        return Blob(media_type, self.size, path=self._file.path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _size(folder: Path) -> int:
    """The bytes of all files in a folder and those below it. What goes meanwhile does not count."""
    try:
        with os.scandir(folder) as entries:
            return sum(map(_size_of, entries))
    except FileNotFoundError:
        return 0


def _size_of(entry: os.DirEntry[str]) -> int:
    if entry.is_dir(follow_symlinks=False):
        return _size(Path(entry.path))
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


@contextmanager
def writing() -> Iterator[None]:
    """What the disk refuses, as the failure of the request."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise RequestFailed(
                "out_of_space", "The server's disk is full.", hint="Its operator can make room, or move the spool."
            ) from error
        log.warning("The spool cannot be written: %s", error)
        raise RequestFailed(
            "out_of_space",
            f"The server cannot keep files: {error.strerror or 'its spool is locked'}.",
            hint=f"Its operator finds the cause in the log, and can name another folder by {SPOOL}.",
        ) from error
