"""The file of notes: open from the handler's start to its end, and read again where it has grown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from llamafarm.errors import ConfigError

HINT = "`notes` of the agent handler `recall` in llamafarm.yaml names a text file with one note on each line."


@dataclass(frozen=True)
class Note:
    """One note. line: where it stands, counted from 1."""

    text: str
    line: int


class Notebook:
    """The notes of one open file. Empty lines, and those that begin with `#`, are none."""

    def __init__(self, path: Path) -> None:
        """Open the file and read it. Raises ConfigError."""
        self._path = path
        self._state: tuple[int, int] | None = None
        self._notes: tuple[Note, ...] = ()
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ConfigError(f"The notes in {path} cannot be read: {error.strerror}.", hint=HINT) from None
        try:
            self.notes()
        except ConfigError:
            self._file.close()
            raise

    def notes(self) -> tuple[Note, ...]:
        """What the file holds now; it is read where it has changed since. Raises ConfigError."""
        stat = os.fstat(self._file.fileno())
        state = (stat.st_size, stat.st_mtime_ns)
        if state != self._state:
            self._notes, self._state = self._read(), state
        return self._notes

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._file.close()

    def _read(self) -> tuple[Note, ...]:
        self._file.seek(0)
        try:
            lines = self._file.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._path} is not UTF-8 text: byte {error.start}.", hint=HINT) from None
        notes = (Note(text.strip(), line) for line, text in enumerate(lines, 1))
        return tuple(note for note in notes if note.text and not note.text.startswith("#"))
