"""JSON and JSON Lines: each item a block, a line for each of its values, with the keys that lead there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llamafarm_rag.documents.composer import Composer
from llamafarm_rag.documents.document import Document
from llamafarm_rag.documents.source import Source

_LINES = frozenset({".jsonl", ".ndjson"})


def read(source: Source) -> Document:
    """The document of a file of JSON. Raises UnreadableFile with the line where it is none."""
    text = source.text()
    if source.path.suffix.lower() in _LINES:
        items = [_value(line, number, source) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        items = [_value(text, 1, source)]
        items = items[0] if isinstance(items[0], list) else items
    parts = Composer()
    for item in items:
        for lines in _blocks(item):
            parts.add("\n".join(lines), by_line=True)
    return parts.document()


def _value(text: str, first_line: int, source: Source) -> Any:
    """The value of a text, its numbers as they are written."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise source.unreadable(f"is no JSON: line {line}, column {error.colno}: {error.msg}") from None


def _blocks(item: Any) -> Iterator[list[str]]:
    """The lines of an item, those of each item of a list in it apart."""
    if not isinstance(item, dict):
        yield list(_lines("", item))
        return
    own: list[str] = []
    for key, value in item.items():
        if isinstance(value, list) and any(isinstance(part, dict) for part in value):
            yield own
            own = []
            for part in value:
                yield list(_lines(key, part))
        else:
            own += _lines(key, value)
    yield own


def _lines(path: str, value: Any) -> Iterator[str]:
    """A line `key.key: value` for each plain value; lists of plain values are one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        for part in value:
            yield from _lines(path, part)
    else:
        text = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
        yield f"{path}: {text}" if path else text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
