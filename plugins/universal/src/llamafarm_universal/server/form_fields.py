"""The fields of a form, read by the same tables as those of JSON: a text becomes the value that its field takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire import BodyError, parse_object

from llamafarm_universal.media.form import Part, UploadedFile
from llamafarm_universal.media.formats import Kind
from llamafarm_universal.server.fields import Done, Parsed, Refused, Rule, Table, parse
from llamafarm_universal.server.inputs import MediaSource

FILE_NAMES = ("file", "input")
LISTS = ("candidate_labels",)
"""Fields that are lists, also of one."""
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
_FLAGS = {"true": True, "false": False}


def parse_form(parts: list[tuple[str, Part]], table: Table) -> Parsed:
    """Read the parts of a form by `table`. A list has a part for each item, named `NAME[]`.

    Raises RequestError for the first field that is wrong, unknown, refused, missing, or there twice.
    """
    return parse(_body(parts, table), table)


def parse_media_form(parts: list[tuple[str, Part]], table: Table, kind: Kind) -> Parsed:
    """Read a form that stands for JSON whose `input` holds files: they are its parts `file`, one or several.

    Any other field may stand several times, which makes a list of it. Raises RequestError.
    """
    inputs: list[Any] = []
    others: list[tuple[str, Part]] = []
    counts = Counter(name for name, _ in parts)
    for name, part in parts:
        if name.removesuffix("[]") in FILE_NAMES:
            inputs.append(MediaSource("", "file", kind, part.blob) if isinstance(part, UploadedFile) else part)
        else:
            others.append((f"{name}[]" if counts[name] > 1 or name in LISTS else name, part))
    body = _body(others, table)
    return parse({**body, "input": inputs} if inputs else body, table)


def _body(parts: list[tuple[str, Part]], table: Table) -> dict[str, Any]:
    lists: dict[str, list[Part]] = {}
    body: dict[str, Any] = {}
    for written, part in parts:
        name = written.removesuffix("[]")
        if name != written:
            lists.setdefault(name, []).append(part)
        elif name in body:
            raise RequestError(f"The field {name!r} stands twice in the form.", param=name, code="invalid_value")
        else:
            body[name] = _meant(part, table.get(name), name)
    return {**body, **lists}


def _meant(part: Part, rule: Rule | None, name: str) -> Any:
    """The first meaning of a text that its field takes; the text itself, which says what is wrong, where none is."""
    if isinstance(part, UploadedFile):
        return part
    for value in _meanings(part):
        if isinstance(rule, Refused) and value in rule.inert:
            return value
        if isinstance(rule, Done):
            with suppress(RequestError):
                rule.parse(value, name)
                return value
    return part


def _meanings(text: str) -> Iterator[Any]:
    if _NUMBER.fullmatch(text):
        for kind in (int, float):
            with suppress(ValueError):
                yield kind(text)
    if text in _FLAGS:
        yield _FLAGS[text]
    with suppress(BodyError):
        yield parse_object(text)
    yield text
