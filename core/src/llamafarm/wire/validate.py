"""What the fields of a request hold: what is wrong is a 400 that names the field, before anybody is asked.

The rules follow from the wire's own types, and from the tables here where a type does not say enough. Null stands for
absent in every field that may be left out. Fields that the wire does not define pass: the provider knows them, or says
that it does not. How small a number may be is in `LEAST` where providers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from llamafarm.errors import RequestError
from llamafarm.wire.chat import Message, Tool
from llamafarm.wire.embedding import EmbeddingInput
from llamafarm.wire.operations import CHAT, COMPLETIONS, OPERATIONS, Operation
from llamafarm.wire.upload import MediaInput, Upload

Check = Callable[[Any], str | None]
"""Returns what a value should be, or None where it is that."""

MAX_BIAS = 100
TOO_LARGE = 2**64
"""No runtime holds a whole number of this size."""


def check(request: Mapping[str, Any], operation: Operation) -> None:
    """Raise RequestError for the first field of the wrong type, and for a required one that is missing."""
    for name in operation.required:
        if request.get(name) is None:
            raise RequestError(f"The field {name!r} is missing.", code="missing_required_parameter", param=name)
    for name, value in request.items():
        if (expected := expectation(name, value, operation)) is not None:
            raise _wrong(name, expected)
    if operation is CHAT:
        _check_messages(request["messages"])


def expectation(name: str, value: Any, operation: Operation) -> str | None:
    """What the value of a field should be, or None where it is that, or where the operation has no such field."""
    rule = RULES[operation.name].get(name)
    return rule(value) if rule is not None and value is not None else None


def least(name: str, operation: Operation) -> int | None:
    """The smallest number that the wire allows in a field where a provider may allow smaller ones."""
    return 0 if (name, operation) == ("max_tokens", COMPLETIONS) else LEAST.get(name)


def _check_messages(messages: list[Any]) -> None:
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        if not isinstance(message, dict):
            raise _wrong(where, "an object with a role")
        if not isinstance(message.get("role"), str) or not message["role"]:
            raise _wrong(f"{where}.role", "a text such as `user`")
        content = message.get("content")
        if content is not None and not isinstance(content, str) and not _is_parts(content):
            raise _wrong(f"{where}.content", "a text, a list of parts that each have a `type`, or null")
        if content is None and message["role"] in ("user", "system", "developer"):
            raise _wrong(f"{where}.content", "a text or a list of parts")
        if message.get("tool_calls") is not None and not _is_objects(message["tool_calls"]):
            raise _wrong(f"{where}.tool_calls", "a list of objects")


def _wrong(where: str, expected: str) -> RequestError:
    return RequestError(f"The field {where!r} must be {expected}.", code="invalid_value", param=where)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_parts(value: Any) -> bool:
    return _is_objects(value) and all(isinstance(part.get("type"), str) for part in value)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or _is_integer(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < TOO_LARGE


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _are_texts(value: Any) -> bool:
    """Whether it is a text, or a list of at least one."""
    return isinstance(value, str) or (_is_texts(value) and bool(value))


def _is_input(value: Any) -> bool:
    """Whether it is texts or token ids, or objects, which hold a text or a picture; one or several."""
    items = value if isinstance(value, list) else [value]
    others = [item for item in items if not isinstance(item, dict)]
    return _is_prompt(value) if others == items else not others or _is_prompt(others)


def _is_prompt(value: Any) -> bool:
    """Whether it is texts or token ids, one or several."""
    items = value if isinstance(value, list) else [value]
    texts = all(isinstance(item, str) for item in items)
    tokens = isinstance(value, list) and all(_is_integer(item) for item in items)
    lists = all(isinstance(item, list) and item and all(map(_is_integer, item)) for item in items)
    return bool(items) and (texts or tokens or lists)


def _is_files(value: Any) -> bool:
    """Whether it is a text or an object, or several; either names a picture."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, str | dict) for item in items)


def _is_biases(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(bias) and abs(bias) <= MAX_BIAS for bias in value.values())


def _is_documents(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str | dict) for item in value)


def _file(value: Any) -> str | None:
    if not isinstance(value, Upload):
        return "a file, sent as a part of the form with its name"
    return None if value.content else "a file that is not empty"


def _files(value: Any) -> str | None:
    files = value if isinstance(value, list) and value else [value]
    return next((wrong for one in files if (wrong := _file(one))), None)


def _number(low: float = -math.inf, high: float = math.inf) -> Check:
    wanted = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
    return _be(wanted, lambda value: _is_number(value) and low <= value <= high)


def _integer(low: int | None = None) -> Check:
    wanted = "a whole number" if low is None else f"a whole number of at least {low}"
    return _be(wanted, lambda value: _is_integer(value) and (low is None or value >= low))


def _be(expected: str, accepts: Callable[[Any], bool]) -> Check:
    return lambda value: None if accepts(value) else expected


_text = _be("a text", lambda value: isinstance(value, str))
_object = _be("an object", lambda value: isinstance(value, dict))
_texts = _be("a list of texts", _is_texts)
_inputs = _be("a text or a list of at least one text", _are_texts)

BY_TYPE: Mapping[Any, Check] = {
    str: _text,
    bool: _be("true or false", lambda value: isinstance(value, bool)),
    int: _integer(),
    dict[str, Any]: _object,
    dict[str, str]: _object,
    dict[str, float]: _be(f"an object of numbers from -{MAX_BIAS} to {MAX_BIAS}", _is_biases),
    list[str]: _texts,
    str | list[str]: _be("a text or a list of texts", lambda value: isinstance(value, str) or _is_texts(value)),
    str | dict[str, Any]: _be("a text or an object", lambda value: isinstance(value, str | dict)),
    str | list[str] | list[int] | list[list[int]]: _be("a text, a list of texts, or lists of token ids", _is_prompt),
    EmbeddingInput: _be("a text, a list of texts and objects with pictures, or lists of token ids", _is_input),
    MediaInput: _be("a file or a list of files: data URLs, base64 or addresses, or objects that hold them", _is_files),
    list[Message]: _be("a list of at least one message", lambda value: isinstance(value, list) and bool(value)),
    list[Tool]: _be("a list of objects that each have a `type`", _is_parts),
    list[str | dict[str, Any]]: _be("a list of at least one text or object", _is_documents),
    Upload: _file,
    Upload | list[Upload]: _files,
}
"""The rule of every field of a type."""

BY_NAME: Mapping[str, Check] = {
    "temperature": _number(0),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "speed": _number(0),
    "n": _integer(1),
    "best_of": _integer(1),
    "dimensions": _integer(1),
    "frame_count": _integer(1),
    "frame_duration_ms": _integer(1),
    "top_n": _integer(1),
    "threshold": _number(0, 1),
    "top_logprobs": _integer(0),
    "output_compression": _integer(0),
    "partial_images": _integer(0),
    "logprobs": _be("true, false or a whole number", lambda value: isinstance(value, bool) or _is_count(value)),
    "timestamp_granularities": _texts,
    "classify.input": _inputs,
    "ner.input": _inputs,
    "candidate_labels": _be("a list of at least one text", lambda value: _is_texts(value) and bool(value)),
    "chat.response_format": _be("an object with a `type`", lambda value: _is_parts([value])),
}
"""The rules that say more than the type: by the field's name, or by `OPERATION.NAME`."""

LEAST: Mapping[str, int] = {"max_tokens": 1, "max_completion_tokens": 1}
"""Smallest numbers. Some runtimes take -1 for no limit; with `echo`, a completion of no tokens asks for `logprobs`."""


def _rules(operation: Operation) -> dict[str, Check]:
    hints = get_type_hints(operation.request)
    named = {name: BY_NAME.get(f"{operation.name}.{name}") or BY_NAME.get(name) for name in hints}
    return {name: named[name] or _rule(hint) for name, hint in hints.items()}


def _rule(hint: Any) -> Check:
    members = tuple(member for member in get_args(hint) if member is not NoneType)
    if get_origin(hint) is Literal:
        return _be(" or ".join(map(repr, members)), lambda value: value in members)
    if NoneType in get_args(hint):
        return _rule(Union[members])  # noqa: UP007 - a union of what is known only here
    return _object if is_typeddict(hint) else BY_TYPE[hint]


RULES: Mapping[str, Mapping[str, Check]] = {operation.name: _rules(operation) for operation in OPERATIONS}
"""The rules of each operation, by its name."""
