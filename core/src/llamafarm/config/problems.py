"""What is wrong with a configuration file, each problem at its place; all are told together."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from llamafarm.errors import ConfigError, LlamaFarmError

KeyPath = tuple[str | int, ...]
Mark = tuple[int, int]
"""Line and column, both counted from 1."""


class Place(NamedTuple):
    """Where a key or item stands in the file. path: as it was written. unquoted: a scalar without quotes."""

    mark: Mark
    path: KeyPath
    unquoted: bool = False


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass
class Problems:
    """Collects the problems of one file. places: where each key and item stands in it.

    harmless: what is wrong and is no reason to refuse the file, but is told where it is refused, so that one run shows
    everything.
    """

    file: Path
    places: Mapping[KeyPath, Place]
    found: dict[str, Mark] = field(default_factory=dict)
    harmless: dict[str, Mark] = field(default_factory=dict)

    def add(self, path: KeyPath, message: str) -> None:
        """Note a problem at the key or item of that path."""
        self.found[self.located(path, message)] = self.place(path).mark

    def place(self, path: KeyPath) -> Place:
        """Where `path` stands, or, where the file does not have it, the nearest thing around it."""
        length = len(path)
        while path[:length] not in self.places:
            length -= 1
        nearest_place = self.places[path[:length]]
        return nearest_place._replace(path=(*nearest_place.path, *path[length:]))

    def located(self, path: KeyPath, message: str) -> str:
        """The message with file, line, column and key path before it."""
        (line, column), written, _ = self.place(path)
        where = f"{shown(self.file)}:{line}:{column}: "
        return f"{where}{dotted(written)}: {message}" if written else f"{where}{message}"

    def raise_if_any(self) -> None:
        """Raise ConfigError with every problem, in the order of the file."""
        if self.found:
            told = self.harmless | self.found
            raise ConfigError("\n".join(sorted(told, key=told.__getitem__)))


def in_one_line(error: LlamaFarmError) -> str:
    """An error's message and hint, for a list of problems."""
    lines = str(error).splitlines()
    return " ".join(line if line.endswith((".", "?")) else f"{line}." for line in lines)


def shown(file: Path) -> str:
    """A file's name as the user would write it: relative where it lies below the working directory."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def dotted(path: KeyPath) -> str:
    """`runtime.models[1].name`: counted from 0, as in JSON Schema's and jq's paths."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


def at(data: Any, path: KeyPath) -> Any:
    """What stands there."""
    return reduce(operator.getitem, path, data)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is spelt most like `name`, or None where none is as alike as `cutoff`, at most 1."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def not_among(message: str, name: str, known: Collection[str], title: str) -> str:
    """`message`, with the known name that is spelt most like `name`, and all of them after `title`."""
    return f"{message}{did_you_mean(name, known) or '.'} {title}: {', '.join(known) or 'none'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""
