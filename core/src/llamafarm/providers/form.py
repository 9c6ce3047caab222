"""Requests that carry files: how they are written as a form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from llamafarm.wire.upload import Upload


def encoded_form(fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return `fields` as a form of type `multipart/form-data`, and that type with its boundary.

    Lists become one part for each item, named `NAME[]`, as OpenAI's clients write them; objects become JSON; nulls are
    left out, since a form has none.
    """
    request = httpx.Request("POST", "http://form", files=list(_parts(fields)))
    return request.read(), request.headers["content-type"]


def _parts(fields: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | None, bytes, str | None]]]:
    for name, value in fields.items():
        items = value if isinstance(value, list) else [value]
        part = f"{name}[]" if isinstance(value, list) else name
        yield from ((part, _part(item)) for item in items if item is not None)


def _part(value: Any) -> tuple[str | None, bytes, str | None]:
    if isinstance(value, Upload):
        return (value.name, value.content, value.media_type)
    return (None, (value if isinstance(value, str) else json.dumps(value)).encode(), None)
