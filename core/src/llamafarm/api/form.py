"""The fields of a form, as the JSON of the same request would have them.

Source: OpenAI's clients, which name the items of a list `NAME[]` and the fields of an object `NAME[KEY]`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.wire.body import BodyError, parse_object
from llamafarm.wire.operations import Operation
from llamafarm.wire.upload import Upload
from llamafarm.wire.validate import expectation

Part = str | Upload

_WRITTEN = re.compile(r"([^\[\]]+)((?:\[[^\[\]]+\]){0,4})(\[\])?")
"""A name, the keys below it, and whether it is one item of a list."""
_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
"""Python's own reading takes more: `1_000`, `infinity`, digits of every script."""
_FLAGS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
_SOME_FILE = Upload("some", b"some", "some/file")


def fields_of(parts: Iterable[tuple[str, Part]], operation: Operation) -> dict[str, Any]:
    """The request that a form is. A text becomes the number, flag or object that the wire has there.

    A field that may be a list may stand more than once, and so may any that is named `NAME[]`. Raises RequestError for
    another that does, and for a text that means nothing that its field may be.
    """
    request: dict[str, Any] = {}
    for written, part in parts:
        name, keys, listed = _taken_apart(written)
        value = _guessed(part) if keys else _meant(name, part, operation)
        many = listed or (not keys and _is_item(name, value, operation, again=name in request))
        _put(request, [name, *keys], value, many=many)
    return request


def media_of(parts: Iterable[tuple[str, Part]], operation: Operation) -> dict[str, Any]:
    """The request that a form is whose files, named `file`, stand for the `input` of the JSON."""
    renamed = [("file[]" if isinstance(part, Upload) else name, part) for name, part in parts]
    request = fields_of(renamed, operation)
    if files := request.pop("file", None):
        given = request.get("input", [])
        request["input"] = [*(given if isinstance(given, list) else [given]), *map(_data_url, files)]
    return request


def _data_url(file: Upload) -> str:
    return f"data:{file.media_type};base64,{b64encode(file.content).decode('ascii')}"


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


def _meant(name: str, part: Part, operation: Operation) -> Any:
    """What a part means in its field: the first of its meanings that the field takes, by itself or in a list."""
    if isinstance(part, Upload) or name not in operation.fields:
        return part
    for value in _meanings(part):
        if None in (expectation(name, value, operation), expectation(name, [value], operation)):
            return value
    raise _wrong(name, f"must be {expectation(name, part, operation)}, not {part[:40]!r}")


def _is_item(name: str, value: Any, operation: Operation, *, again: bool) -> bool:
    """Whether a value is one item of a list: the field takes nothing else, or lists too and stands again."""
    item = _SOME_FILE if isinstance(value, Upload) else value
    takes_list = name in operation.fields and expectation(name, [item], operation) is None
    return takes_list and (again or expectation(name, item, operation) is not None)


def _guessed(part: Part) -> Any:
    """What a part means inside an object, of whose fields the wire tells nothing."""
    return part if isinstance(part, Upload) else next(_meanings(part))


def _meanings(text: str) -> Iterator[Any]:
    """What a text may mean, itself last."""
    if _NUMBER.fullmatch(text):
        for kind in (int, float):
            with suppress(ValueError):
                yield kind(text)
    if text.lower() in _FLAGS:
        yield _FLAGS[text.lower()]
    with suppress(BodyError):
        yield parse_object(text)
    yield text


def _wrong(name: str, what: str) -> RequestError:
    return RequestError(f"The field {name!r} {what}.", code="invalid_value", param=name)
