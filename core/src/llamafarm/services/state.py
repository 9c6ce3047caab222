"""What is written down about a service: its process, its token, its log and the lock, under the data directory."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import psutil
from filelock import FileLock

from llamafarm.paths import data_dir
from llamafarm.services.processes import find, is_running

KEPT_LOGS = 3


@dataclass(frozen=True)
class ServiceState:
    """The process of a service. created: when the process began, in seconds since 1970, which tells it from a later
    one with the same pid. address: where it was told to listen."""

    pid: int
    created: float
    address: str
    version: str

    @property
    def alive(self) -> bool:
        """Whether this very process is running."""
        return is_running(self.process())

    def process(self) -> psutil.Process | None:
        """The process; None where it has ended, even if another one has its pid now."""
        return find(self.pid, self.created)


class ServiceFiles:
    """The files of one service. They are readable for their owner only."""

    def __init__(self, name: str, data_dir: Path) -> None:
        stem = name.replace(":", "-")
        self._folder = data_dir / "services"
        self._state = self._folder / f"{stem}.json"
        self._lock = self._folder / f"{stem}.lock"
        self.token = self._folder / f"{stem}.token"
        self.log = data_dir / "logs" / f"{stem}.log"

    def read(self) -> ServiceState | None:
        """What was written last; None where there is nothing, or nothing that can be read."""
        try:
            return ServiceState(**json.loads(self._state.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, state: ServiceState) -> None:
        """Write the state, as a whole or not at all."""
        fresh = self._state.with_suffix(f".{os.getpid()}.new")
        _write_private(fresh, json.dumps(asdict(state), indent=2))
        fresh.replace(self._state)

    def clear(self) -> None:
        """Forget the process and its token; the log stays."""
        self._state.unlink(missing_ok=True)
        self.token.unlink(missing_ok=True)

    def lock(self) -> FileLock:
        """The lock that whoever starts or stops the service holds. It is the system's: it ends with its holder."""
        _make_private(self._folder)
        return FileLock(self._lock, thread_local=False)

    def new_token(self) -> None:
        """Write a new token for the process that is about to start."""
        _make_private(self._folder)
        self.token.unlink(missing_ok=True)
        _write_private(self.token, secrets.token_urlsafe(32))

    def new_log(self) -> BinaryIO:
        """Open an empty log; the ones before it stay as NAME.log.1 and so on, KEPT_LOGS of them."""
        _make_private(self.log.parent)
        for number in range(KEPT_LOGS, 0, -1):
            older = self.log if number == 1 else self.log.with_name(f"{self.log.name}.{number - 1}")
            if older.exists():
                older.replace(self.log.with_name(f"{self.log.name}.{number}"))
        return os.fdopen(os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab")

    def log_end(self, lines: int = 20) -> str:
        """The last lines of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 64 * 1024))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def token_of(name: str, address: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The token of the process that LlamaFarm started as service `name` at `address` and that is running, else None.

    It is for that process alone: whoever else answers there must not be sent it. environ: None for our own.
    """
    files = ServiceFiles(name, data_dir(os.environ if environ is None else environ))
    state = files.read()
    if state is None or not state.alive or state.address != address:
        return None
    try:
        return files.token.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
