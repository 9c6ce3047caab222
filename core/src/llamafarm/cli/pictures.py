"""Pictures and sounds for a command: files, and addresses that a server may fetch."""

from __future__ import annotations

import base64
import mimetypes
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from llamafarm.cli.app import current_app
from llamafarm.wire.upload import Upload

PIPE = "-"
PART_BYTES = 16 * 1024 * 1024
"""Files of one request, so that their base64 stays below what servers take; a larger one is asked about alone."""


@dataclass(frozen=True)
class File:
    """A file, which is read when it is sent. name: under which its content stands in the object that is sent."""

    path: Path
    name: str


def picture(name: str) -> File | dict[str, str]:
    """A picture: a file, or an address as it is sent."""
    return _named(name, "image")


def sound(name: str) -> File | dict[str, str]:
    """A sound: a file, or an address as it is sent."""
    return _named(name, "audio")


def parts(items: Sequence[Any], most: int) -> Iterator[list[Any]]:
    """The items, at most so many at a time, and of files at most PART_BYTES together."""
    part: list[Any] = []
    size = 0
    for item in items:
        more = item.path.stat().st_size if isinstance(item, File) else 0
        if part and (len(part) == most or size + more > PART_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += more
    yield part


def sent(item: Any) -> Any:
    """What is sent for an item: of a file a data URL of the type that its name says."""
    if not isinstance(item, File):
        return item
    media_type = _type_of(item.path.name) or "application/octet-stream"
    return {item.name: f"data:{media_type};base64,{base64.b64encode(item.path.read_bytes()).decode()}"}


def uploaded(name: str) -> Upload:
    """A picture as a file of a form; `-` is what comes through the pipe."""
    if name == PIPE:
        return Upload("picture", sys.stdin.buffer.read())
    path = current_app().cwd / name
    return Upload(path.name, path.read_bytes(), _type_of(path.name) or "application/octet-stream")


def note_pictures(words: Sequence[str]) -> None:
    """Say on stderr which words are the names of pictures, since they are taken for texts."""
    for word in words:
        if (_type_of(word) or "").startswith("image/") and (current_app().cwd / word).is_file():
            click.echo(f"Note: {word!r} is embedded as a text; `--image {word}` embeds the picture.", err=True)


def _named(name: str, kind: str) -> File | dict[str, str]:
    return {kind: name} if "://" in name else File(current_app().cwd / name, kind)


def _type_of(name: str) -> str | None:
    return mimetypes.guess_type(name)[0]
