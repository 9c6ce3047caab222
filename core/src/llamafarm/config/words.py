"""pydantic's errors in our words. A value under a key that says it is secret is never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, RootModel, ValidationError

from llamafarm.config.document import kind, resolve_or_keep
from llamafarm.config.problems import KeyPath, at, did_you_mean, nearest, not_among
from llamafarm.config.secrets import is_secret_key
from llamafarm.config.settings import NAME_PATTERN
from llamafarm.config.syntax import missing_space
from llamafarm.wire.chat import ChatRequest

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
}
_REQUEST_FIELDS = frozenset(ChatRequest.__annotations__) - {"messages", "model", "stream", "stream_options"}
LONGEST_SHOWN = 40
_SUBJECT = re.compile(r"^(Input|String|List|Dictionary|Value|Data|Number) should ")


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> list[tuple[KeyPath, str]]:
    """Return (place, message) for each thing that is wrong."""
    grouped: dict[KeyPath, list[Any]] = {}
    for one in error.errors(include_input=False, include_url=False):
        grouped.setdefault(_place(one, data), []).append(one)
    inner = [place for place in grouped if not _is_union_echo(place, grouped)]
    return [(place, _message(place, grouped[place], model, data)) for place in inner]


def _place(error: Any, data: Any) -> KeyPath:
    """Where it is wrong, without the names of union members, which are nothing that the user wrote."""
    place: list[str | int] = []
    for part in error["loc"]:
        if part in (range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()):
            data = data[part]
            place.append(part)
    return (*place, error["loc"][-1]) if error["type"] == "missing" else tuple(place)


def _is_union_echo(place: KeyPath, grouped: dict[KeyPath, list[Any]]) -> bool:
    """Whether another member of the union went deeper: then its complaint is the one that helps."""
    of_union = any(len(one["loc"]) > len(place) for one in grouped[place])
    return of_union and any(other[: len(place)] == place and other != place for other in grouped)


def _message(place: KeyPath, errors: list[Any], model: type[BaseModel], data: Any) -> str:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        return unknown_key(str(place[-1]), allowed(model, place[:-1]))
    if first["type"] == "missing":
        return "is missing"
    expected = [_EXPECTED.get(one["type"]) or _literal(one) for one in errors]
    known = list(dict.fromkeys(word for word in expected if word))
    value = at(data, place)
    if known and all(expected):
        return f"must be {' or '.join(known)}, not {_found(place, value, known)}{_choice_meant(errors, value)}"
    said = _own_words(next(one for one, word in zip(errors, expected, strict=True) if not word))
    return f"{said}, not {value}" if type(value) in (int, float) and said.startswith("must") else said


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    """The message about a key that is not known, with the nearest right one and all that are allowed."""
    if not known:
        return "unknown key. Nothing is allowed here"
    if "models" in known and key in ("provider", "model"):
        return "stands beside `models`; move it into an entry there"
    parameter = key if key in _REQUEST_FIELDS else nearest(key, _REQUEST_FIELDS)
    if "model_api_parameters" in known and nearest(key, known) is None and parameter:
        return f"unknown key; did you mean 'model_api_parameters.{parameter}'? Allowed: {', '.join(known)}"
    return not_among("unknown key", key, known, "Allowed")


def allowed(model: type[BaseModel], place: KeyPath) -> tuple[str, ...]:
    """The keys that `model` allows at `place`."""
    models = list(_models_in(model))
    for part in place:
        if isinstance(part, int):
            continue
        fields = [field for one in models for name, field in one.model_fields.items() if part in (name, field.alias)]
        models = [found for field in fields for found in _models_in(field.annotation)] or models
    return tuple(dict.fromkeys(field.alias or name for one in models for name, field in one.model_fields.items()))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type; a model of a mapping stands for those that it holds."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _models_in(annotation.model_fields["root"].annotation)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _literal(error: Any) -> str | None:
    choices = _choices(error)
    if len(choices) == 1:
        return repr(choices[0])
    return f"one of {', '.join(map(repr, choices))}" if choices else None


def _choices(error: Any) -> list[str]:
    """The texts that a Literal or an enumeration allows."""
    expected: str = error.get("ctx", {}).get("expected", "") if error["type"] in ("literal_error", "enum") else ""
    return re.findall(r"'([^']*)'", expected)


def _choice_meant(errors: list[Any], value: Any) -> str:
    return did_you_mean(value, [choice for one in errors for choice in _choices(one)]) if isinstance(value, str) else ""


def shown_value(value: Any) -> str:
    """A value that is wrong, as a message shows it: a short one as it is, else its kind."""
    short_number = isinstance(value, int | float) and not isinstance(value, bool) and len(str(value)) <= LONGEST_SHOWN
    return str(value) if short_number else _found((), value, [])


def _found(place: KeyPath, value: Any, expected: list[str]) -> str:
    """What stands there: its value where that is short and no secret, else its kind; and what to do about it."""
    unspaced = "a mapping" in expected and isinstance(value, str) and missing_space(value)
    if isinstance(value, dict | list) or value is None or unspaced:
        return kind(value)
    short = len(str(value)) <= LONGEST_SHOWN and not any(is_secret_key(part) for part in place)
    found = repr(value) if short and isinstance(value, str) else kind(value)
    if "text" in expected:
        return f"{found}; put it in quotes"
    quoted = isinstance(value, str) and not isinstance(resolve_or_keep(value), str)
    return f"{found}; take the quotes away" if quoted else found


def _own_words(error: Any) -> str:
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME_PATTERN:
        return "must be a name: letters, digits, dots, dashes and underscores, a letter or digit first"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _SUBJECT.sub("must ", text)
