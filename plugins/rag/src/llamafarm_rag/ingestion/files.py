"""The files that a dataset has now, found below its sources."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llamafarm_rag.ingestion.sources import Source

TOOL_FOLDERS = frozenset({"__pycache__", "node_modules"})
"""Folders that hold what tools have made: they are left out, as is everything whose name begins with a dot."""


@dataclass(frozen=True)
class SourceFile:
    """A file to be read. path: whole, its links kept. shown: as the user sees it, from the project's folder."""

    path: Path
    shown: str
    size: int


@dataclass(frozen=True)
class Missing:
    """A place that cannot be looked at: nothing is known of the files in it.

    shown: as the user sees it. cause: why, after "It".
    """

    path: Path
    shown: str
    cause: str


@dataclass
class FoundFiles:
    """What lies below the sources.

    files: each once, sorted by their paths. missing: what cannot be looked at. empty: folders that are sources and hold
    no files, as the place of a disk does that is not there. unnamed: files whose names are not text. left_out: how many
    files are hidden, or of a kind that nobody reads.
    """

    files: list[SourceFile] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    empty: list[Missing] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    left_out: int = 0


def find_files(sources: Iterable[Source], homes: Sequence[Path], is_read: Callable[[Path], bool]) -> FoundFiles:
    """Look through all sources.

    homes: the folders from which files are shown, such as that of the project. is_read: whether a file is of a kind
    that somebody reads.

    Hidden files and folders are left out, and those of other kinds; a file that is a source itself is always taken.
    Links are followed, and no folder is looked into twice for one source. Never raises for what lies there.
    """
    search = _Search(homes, is_read)
    for source in sources:
        search.look_at(source)
    search.found.files = sorted(search.files.values(), key=lambda file: str(file.path))
    search.found.left_out = len(search.left_out - search.files.keys())
    return search.found


class _Search:
    def __init__(self, homes: Sequence[Path], is_read: Callable[[Path], bool]) -> None:
        self.found = FoundFiles()
        self.files: dict[Path, SourceFile] = {}
        self.left_out: set[Path] = set()
        self._homes = homes
        self._is_read = is_read

    def look_at(self, source: Source) -> None:
        try:
            status = source.root.stat()
        except OSError as error:
            self._miss(source.root, _cause(error))
            return
        if stat.S_ISDIR(status.st_mode):
            self._look_into(source)
        elif source.pattern:
            self._miss(source.root, "is no folder")
        else:
            self._take(source.root, always=True)

    def _look_into(self, source: Source) -> None:
        is_empty = True
        for path in self._below(source.root):
            is_empty = False
            if path is not None and source.matches(path):
                self._take(path)
        if is_empty:
            cause = "holds no files, as the place of a disk does that is not there"
            self.found.empty.append(Missing(source.root, self._shown(source.root), cause))

    def _below(self, root: Path) -> Iterator[Path | None]:
        """The files in a folder and in those below it; None for what is left out without a count.

        Folders come before links to folders, so that one that has both is found under its own name.
        """
        folders, links, seen = [root], list[Path](), set[tuple[int, int]]()
        while folders or links:
            folder = folders.pop() if folders else links.pop()
            for entry in self._entries(folder, seen):
                if not _is_folder(entry):
                    yield Path(entry.path)
                elif entry.name.startswith(".") or entry.name in TOOL_FOLDERS:
                    yield None
                else:
                    (links if entry.is_symlink() else folders).append(Path(entry.path))

    def _entries(self, folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
        """What is in a folder, sorted; nothing where it has been seen already or cannot be opened."""
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                return []
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._miss(folder, _cause(error))
            return []

    def _take(self, path: Path, *, always: bool = False) -> None:
        """A file that is meant by a source. always: whether it is taken though it is hidden or of another kind."""
        if path in self.files:
            return
        if not always and (path.name.startswith(".") or not self._is_read(path)):
            self.left_out.add(path)
            return
        if not _is_text(str(path)):
            self.found.unnamed.append(self._shown(path))
            return
        try:
            status = path.stat()
        except OSError as error:
            self._miss(path, _cause(error))
            return
        if not stat.S_ISREG(status.st_mode):
            self._miss(path, "is neither a file nor a folder")
            return
        self.files[path] = SourceFile(path, self._shown(path), status.st_size)

    def _miss(self, path: Path, cause: str) -> None:
        missing = Missing(path, self._shown(path), cause)
        if missing not in self.found.missing:
            self.found.missing.append(missing)

    def _shown(self, path: Path) -> str:
        """From the first home in which it lies; bytes that are no text as `\\xNN`."""
        inside = next((path.relative_to(home) for home in self._homes if path.is_relative_to(home)), path)
        return os.fsencode(inside.as_posix()).decode("utf-8", "backslashreplace")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # it is told when it is opened
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cause(error: OSError) -> str:
    """Why it cannot be looked at, after "It"."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return f"cannot be opened: {error.strerror or error}"
