"""The fields of a form, as the JSON of the same request would have them.

Source: OpenAI's clients, which name the items of a list `NAME[]` and the fields of an object `NAME[KEY]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from llamafarm.errors import RequestError
from llamafarm.wire.body import BodyError, parse_object
from llamafarm.wire.operations import Operation
from llamafarm.wire.upload import Upload

Part = str | Upload

_WRITTEN = re.compile(r"([^\[\]]+)((?:\[[^\[\]]+\]){0,4})(\[\])?")
"""A name, the keys below it, and whether it is one item of a list."""
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
_FLAGS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
_WANTED: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number"}


def fields_of(parts: Iterable[tuple[str, Part]], operation: Operation) -> dict[str, Any]:
    """The request that a form is. Texts become numbers, flags and objects where the wire has such a field.

    A field that may be a list may stand more than once, and so may any that is named `NAME[]`. Raises RequestError for
    another that does, and for a text that is no number or flag where one is needed.
    """
    hints = get_type_hints(operation.request)
    found: dict[str, Any] = {}
    for written, part in parts:
        name, keys, listed = _taken_apart(written)
        field = _Field.of(hints.get(name, str))
        value = _guessed(part) if keys else _converted(name, part, field.types)
        many = listed or (not keys and (not field.single or (field.lists and name in found)))
        _put(found, [name, *keys], value, many=many)
    return found


@dataclass(frozen=True)
class _Field:
    """What the wire says of a field. types: of its value or, where it is a list, of the items."""

    types: tuple[Any, ...]
    lists: bool
    single: bool

    @classmethod
    def of(cls, hint: Any) -> _Field:
        members = tuple(_members(hint))
        lists = [get_origin(one) is list for one in members]
        types = (get_args(one)[0] if listed else one for one, listed in zip(members, lists, strict=True))
        return cls(tuple(types), any(lists), not all(lists))


def _members(hint: Any) -> Iterator[Any]:
    """The types that a field may have, without null."""
    if get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _members(member)
    elif hint is not type(None):
        yield hint


def _taken_apart(written: str) -> tuple[str, list[str], bool]:
    """The name of a part: the field, the keys below it, and whether it is one item of a list."""
    if not (match := _WRITTEN.fullmatch(written)):
        return written, [], False
    name, keys, listed = match.groups()
    return name, re.findall(r"[^\[\]]+", keys), listed is not None


def _put(into: dict[str, Any], path: list[str], value: Any, *, many: bool) -> None:
    """Put a value where its path leads; one of many is appended to those that are there."""
    *parents, last = path
    for key in parents:
        into = into.setdefault(key, {})
        if not isinstance(into, dict):
            raise _wrong(path[0], "stands in the form as a value and as an object")
    if many:
        before = into.get(last, [])
        into[last] = [*(before if isinstance(before, list) else [before]), value]
    elif last in into:
        raise _wrong(path[0], "stands twice in the form")
    else:
        into[last] = value


def _converted(name: str, part: Part, types: Iterable[Any]) -> Any:
    """A text as the number, flag or object that it means, where the wire has no text there."""
    if isinstance(part, Upload):
        return part
    if Any in types or any(get_origin(one) is dict for one in types):
        return _object(part)
    for kind in _WANTED:
        if kind in types:
            try:
                return _FLAGS[part.lower()] if kind is bool else _number(part, kind)
            except (KeyError, ValueError):
                raise _wrong(name, f"must be {_WANTED[kind]}, not {part[:40]!r}") from None
    return part


def _number(text: str, kind: type[Any]) -> Any:
    """Python's own reading takes more: `1_000`, `infinity`, digits of every script."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return kind(text)


def _object(text: str) -> Any:
    """An object where the text is one in JSON: such a field may take a word as well."""
    try:
        return parse_object(text)
    except BodyError:
        return text


def _guessed(part: Part) -> Any:
    """A value inside an object, of which the wire says no type: a number or a flag where it looks like one."""
    if isinstance(part, Upload):
        return part
    if part in ("true", "false"):
        return part == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return _number(part, kind)
    return part


def _wrong(name: str, what: str) -> RequestError:
    return RequestError(f"The field {name!r} {what}.", code="invalid_value", param=name)
