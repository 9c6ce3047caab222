"""The fields of a form, read by the same tables as those of JSON: a text becomes the value that its field takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire import BodyError, parse_object

from llamafarm_universal.media.form import Part, UploadedFile
from llamafarm_universal.server.fields import Done, Parsed, Refused, Rule, Table, parse

_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
_FLAGS = {"true": True, "false": False}


def parse_form(parts: list[tuple[str, Part]], table: Table) -> Parsed:
    """Read the parts of a form by `table`. A list has a part for each item, named `NAME[]`.

    Raises RequestError for the first field that is wrong, unknown, refused, missing, or there twice.
    """
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
    return parse({**body, **lists}, table)


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
