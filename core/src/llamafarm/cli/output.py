"""How results are printed: JSON for programs, aligned columns for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell; control characters of foreign texts are not printed."""
    cells = [[plain(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _width(text: str) -> int:
    """How many columns of a terminal the text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def plain(text: str) -> str:
    """The text with a space for each control character: what foreign programs say must not steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def one_line(text: str) -> str:
    """A message and its hint as one line, each a sentence."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return " ".join(line if line.endswith((".", "?", "!", ":", ",")) else f"{line}." for line in lines)


def ago(seconds: float) -> str:
    """A length of time for people: `12 s`, `5 min`, `3 h`, `2 days`."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"


def size(count: float) -> str:
    """A number of bytes for people: `512 B`, `4.2 MB`, `1.3 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
