"""How results are printed: JSON for programs, aligned columns for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import click

STATES = {"foreign": "started elsewhere", "stopped": "starts on first use", "unreachable": "not reachable"}
"""What the states of runtimes and models are called for people, where that is not their own name."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
server_url_option = click.option(
    "--server-url", metavar="URL", help="Ask an API server instead of running the gateway here."
)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that loses nothing: escaped where the output's encoding does not have every character."""
    ascii_only = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() not in ("utf-8", "utf8")
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only, default=_jsonable)


def _jsonable(value: Any) -> Any:
    """What JSON has no form for: a dataclass is an object, a set a sorted list, anything else its text."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return sorted(value) if isinstance(value, frozenset) else str(value)


def print_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json_text(value, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, only_filled: bool = False) -> None:
    """Print rows in columns as wide as their widest cell; control characters of foreign texts are not printed.

    only_filled: leave columns out in which no row says anything.
    """
    filled = [column for column in range(len(heads)) if not only_filled or any(row[column] for row in rows)]
    cells = [[plain(row[column]) for column in filled] for row in (heads, *rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(filled))]
    for row in cells:
        padded = (cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def width(text: str) -> int:
    """How many columns of a terminal the text takes: two for a wide character, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, columns: int) -> str:
    """As much of the beginning of the text as so many columns hold."""
    while text and width(text) > columns:
        text = text[:-1]
    return text


def plain(text: str) -> str:
    """The text with a space for each control character: what foreign programs say must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def one_line(text: str) -> str:
    """A message and its hint as one line, each a sentence."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return " ".join(line if line.endswith((".", "?", "!", ":", ",")) else f"{line}." for line in lines)


def counted(count: int, noun: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ago(seconds: float) -> str:
    """A length of time for people: `12 s`, `5 min`, `3 h`, `2 days`."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return counted(round(seconds / 86400), "day")


def size(count: float) -> str:
    """A number of bytes for people: `512 B`, `4.2 MB`, `1.3 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
