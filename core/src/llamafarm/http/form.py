"""Requests that carry files: how they are written as a form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llamafarm.wire.upload import Upload

_Part = tuple[str | None, bytes, str | None]


def encoded_form(fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return `fields` as a form of type `multipart/form-data`, and that type with its boundary.

    As OpenAI's clients write them: each item of a list is a part of its own, named `NAME[]`, and each field of an
    object, named `NAME[KEY]`. Nulls are left out, since a form has none.
    """
    import httpx  # not above: importing it takes longer than most commands

    parts = [part for name, value in fields.items() for part in _parts(name, value)]
    request = httpx.Request("POST", "http://form", files=parts)
    return request.read(), request.headers["content-type"]


def _parts(name: str, value: Any) -> Iterator[tuple[str, _Part]]:
    if isinstance(value, list):
        for item in value:
            yield from _parts(f"{name}[]", item)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _parts(f"{name}[{key}]", one)
    elif value is not None:
        yield name, _part(value)


def _part(value: Any) -> _Part:
    if isinstance(value, Upload):
        return (value.name, value.content, value.media_type)
    return (None, (value if isinstance(value, str) else json.dumps(value)).encode(), None)
