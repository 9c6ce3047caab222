"""The spool: a private folder in which the large bytes of requests lie as files, and go with their request.

    PARENT/spool-PID-START/        one server's, mode 0700
    PARENT/spool-PID-START.lock    which that server holds for as long as it lives, however it ends
    …/REQUEST/                     what belongs to one request, with files of names that are ours

A process id alone would not tell who lives: another container's may be the same.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llamafarm_universal.media.folder import SpoolFolder, writing
from llamafarm_universal.media.settings import MediaSettings

LOCK_SECONDS = 10.0
REMOVALS = 3
"""How often a folder is emptied: a host that has not heard of the end yet may have put something there meanwhile."""
_NAME = re.compile(r"spool-\d+-\d+")
_REQUEST = re.compile(r"[A-Za-z0-9_-]{1,100}")
log = logging.getLogger(__name__)


class Spool:
    """One server's folder. It is made when the first request needs it, and removed by `close`."""

    def __init__(self, path: Path, settings: MediaSettings) -> None:
        self.path = path
        self._settings = settings
        self._lock = _lock_of(path)
        self._claiming = threading.Lock()

    @classmethod
    def open(cls, parent: Path, settings: MediaSettings | None = None) -> Spool:
        """The spool of this process below `parent`. Those that dead servers have left there are removed."""
        if parent.is_dir():
            try:
                with _lock_of(parent / "all"):
                    _remove_dead(parent)
            except OSError as error:  # a folder of somebody else; who writes into it is told
                log.warning("What earlier servers left in %s stays there: %s", parent, error)
        return cls(parent / f"spool-{os.getpid()}-{time.time_ns()}", settings or MediaSettings())

    def create(self, request_id: str) -> SpoolFolder:
        """The folder of a request. Raises RequestFailed where the spool cannot be written."""
        path = self._path_of(request_id)
        with writing():
            self._claim()
            path.mkdir(mode=0o700)
        return SpoolFolder(path, self._settings.request_bytes, self._settings.spool_bytes)

    def remove(self, request_id: str) -> None:
        """Remove the folder of a request with all that is in it; calling twice does nothing."""
        path = self._path_of(request_id)
        for _ in range(REMOVALS):
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                return

    @contextmanager
    def request(self, request_id: str) -> Iterator[SpoolFolder]:
        """The folder of a request, which is removed at the end."""
        try:
            yield self.create(request_id)
        finally:
            self.remove(request_id)

    def _path_of(self, request_id: str) -> Path:
        if not _REQUEST.fullmatch(request_id):
            raise ValueError(f"{request_id!r} cannot name a folder")
        return self.path / request_id

    def close(self) -> None:
        """Remove everything; calling twice does nothing."""
        if not self._lock.is_locked:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _claim(self) -> None:
        """Make the folder, where this is the first request or somebody has cleaned it away."""
        with self._claiming:
            if not self._lock.is_locked:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with _lock_of(self.path.parent / "all"):  # a server that starts now would take it for one of the dead
                    self._lock.acquire()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock_of(path: Path) -> FileLock:
    return FileLock(f"{path}.lock", LOCK_SECONDS, thread_local=False)


def _remove_dead(parent: Path) -> None:
    """Remove what belongs to servers that live no more: their locks are free."""
    for lock_file in parent.glob("spool-*.lock"):
        folder = lock_file.with_suffix("")
        if _NAME.fullmatch(folder.name):
            try:
                with _lock_of(folder).acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
            except Timeout:
                continue
            if not folder.exists():
                lock_file.unlink(missing_ok=True)
