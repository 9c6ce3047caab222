"""Who holds a database: a lock that ends with its process, and beside it how others reach the holder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout


@dataclass(frozen=True)
class Holder:
    """The process that holds a database.

    address: of its server. token: what it asks for. proof: what its answers carry, so that another program that has
    got the port of a holder that died is not taken for it.
    """

    pid: int
    address: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    proof: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


LOCK = "lock"
HOLDER = "holder.json"
KEPT = (LOCK, HOLDER)
"""What of a database's folder is not of the database, but of who holds it."""


class DatabaseLock:
    """The lock of the database in a folder, and what its holder says of itself; only this user can read it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holder = folder / HOLDER
        self._lock = FileLock(folder / LOCK, thread_local=False, mode=0o600)

    def try_acquire(self) -> bool:
        """Whether this process holds the database from now on. The system frees the lock when the process ends."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._holder.unlink(missing_ok=True)  # of a holder that was killed
        return True

    def announce(self, holder: Holder) -> None:
        """Tell others how this process is reached."""
        fresh = self._holder.with_suffix(f".{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(holder), file)
        fresh.replace(self._holder)

    def holder(self) -> Holder | None:
        """What the holder says of itself; None where it has not said so yet, or nobody holds the database."""
        try:
            return Holder(**json.loads(self._holder.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def withdraw(self) -> None:
        """Others cannot reach this process any more."""
        self._holder.unlink(missing_ok=True)

    def release(self) -> None:
        """Let another process hold the database."""
        self._lock.release()
