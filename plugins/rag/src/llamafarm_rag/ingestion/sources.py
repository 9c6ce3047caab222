"""What a dataset is told to read: files, folders and patterns, each as a whole path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")
ANY_DEPTH = "**"


@dataclass(frozen=True)
class Source:
    """One of them. given: as the user wrote it. root: the file, the folder, or the folder that a pattern begins at.

    pattern: its parts below the root, such as `("**", "*.md")`; empty for a file or folder.
    """

    given: str
    root: Path
    pattern: tuple[str, ...] = ()

    def matches(self, path: Path) -> bool:
        """Whether a file below the root is meant: one that fits the pattern, or lies in a folder that does."""
        parts = path.relative_to(self.root).parts
        return not self.pattern or any(_fits(parts[:end], self.pattern) for end in range(1, len(parts) + 1))


def sources_of(given: Iterable[str], folder: Path) -> list[Source]:
    """The sources, each once, in their order. Relative ones count from `folder`, `~` is the home folder."""
    return [_source(text, folder) for text in dict.fromkeys(given)]


def _source(text: str, folder: Path) -> Source:
    path = Path(os.path.abspath(folder / Path(text).expanduser()))  # noqa: PTH100 - links stay, and `..` goes
    if path.exists() or not _MAGIC.search(text):  # a name with brackets is no pattern where there is such a file
        return Source(text, path)
    parts = path.parts
    first = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
    return Source(text, Path(*parts[:first]), parts[first:])


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path fit those of a pattern; `**` stands for any number of them."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        return any(_fits(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
