"""The fields of a form, as the JSON of the same request would have them.

Source: OpenAI's clients, which name the items of a list `NAME[]` and the fields of an object `NAME[KEY]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
    request: dict[str, Any] = {}
    for written, part in parts:
        name, keys, listed = _taken_apart(written)
        members = _members(hints.get(name, str))
        lists = [get_origin(member) is list for member in members]
        types = [get_args(member)[0] if is_list else member for member, is_list in zip(members, lists, strict=True)]
        many = listed or (not keys and (all(lists) or (any(lists) and name in request)))
        _put(request, [name, *keys], _value(name, part, None if keys else types), many=many)
    return request


def _members(hint: Any) -> list[Any]:
    """The types that a field may have, without null."""
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [member for member in members if member is not type(None)]


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


def _value(name: str, part: Part, types: list[Any] | None) -> Any:
    """What a part means. types: of a field, or its items; None inside an object, of which the wire tells none."""
    if isinstance(part, Upload):
        return part
    return _guessed(part) if types is None else _converted(name, part, types)


def _converted(name: str, text: str, types: list[Any]) -> Any:
    """A text as the number, flag or object that it means, where the wire has no text there."""
    if Any in types or any(get_origin(kind) is dict for kind in types):
        with suppress(BodyError):  # such a field may take a word as well
            return parse_object(text)
    for kind, wanted in _WANTED.items():
        if kind in types:
            try:
                return _FLAGS[text.lower()] if kind is bool else _number(text, kind)
            except (KeyError, ValueError):
                raise _wrong(name, f"must be {wanted}, not {text[:40]!r}") from None
    return text


def _guessed(text: str) -> Any:
    """A number or a flag where the text looks like one."""
    for kind in (int, float):
        with suppress(ValueError):
            return _number(text, kind)
    return _FLAGS.get(text, text)


def _number(text: str, kind: type[Any]) -> Any:
    """Python's own reading takes more: `1_000`, `infinity`, digits of every script."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return kind(text)


def _wrong(name: str, what: str) -> RequestError:
    return RequestError(f"The field {name!r} {what}.", code="invalid_value", param=name)
