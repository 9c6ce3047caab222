"""The fields of a form, as the JSON of the same request would have them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from llamafarm.errors import RequestError
from llamafarm.wire.operations import Operation
from llamafarm.wire.upload import Upload

Part = str | Upload


def fields_of(parts: Iterable[tuple[str, Part]], operation: Operation) -> dict[str, Any]:
    """The request that a form is. Texts become numbers and flags where the wire has such a field.

    A field that is a list, and one that is named `NAME[]`, may stand more than once. Raises RequestError for a field
    that stands twice and is no list, and for a text that is not a number or flag.
    """
    kinds = {name: _members(kind) for name, kind in get_type_hints(operation.request).items()}
    found: dict[str, Any] = {}
    for written, part in parts:
        name = written.removesuffix("[]")
        members = kinds.get(name, ())
        listed = written != name or (_lists(members) and not _single(members))
        value = _converted(name, part, members)
        if name in found and not (listed or _lists(members)):
            raise RequestError(f"The field {name!r} stands twice in the form.", code="invalid_value", param=name)
        if name in found:
            found[name] = [*_as_list(found[name]), value]
        else:
            found[name] = [value] if listed else value
    return found


def _members(kind: Any) -> tuple[Any, ...]:
    """The types that a field may have, without null; of `NotRequired[X]`, those of X."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(one for member in get_args(kind) for one in _members(member) if one is not type(None))
    return (kind,)


def _lists(members: Iterable[Any]) -> bool:
    return any(get_origin(one) is list for one in members)


def _single(members: Iterable[Any]) -> bool:
    return any(get_origin(one) is not list for one in members)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _converted(name: str, part: Part, members: tuple[Any, ...]) -> Any:
    """A text as the number, flag or object that it means, where the wire has no text there."""
    if isinstance(part, Upload) or not members or str in members:
        return part
    for kind, read in _READERS.items():
        if kind in members:
            try:
                return read(part)
            except (ValueError, KeyError):
                message = f"The field {name!r} must be {_WANTED[kind]}, not {part[:40]!r}."
                raise RequestError(message, code="invalid_value", param=name) from None
    return _loose(part)


def _loose(text: str) -> Any:
    """An object where the text is one, as of a field that takes a word or an object."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


_FLAGS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
_READERS: Mapping[type, Any] = {bool: lambda text: _FLAGS[text.lower()], int: int, float: float}
_WANTED: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number"}
