"""Schemas that answers are held to, and what is wrong with an answer."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import jsonschema_rs

MAX_PROBLEMS = 10
"""So many of an answer are told: a model that has missed the whole schema has hundreds."""
_MAX_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")


@dataclass(frozen=True)
class Checked:
    """A text that was read.

    value, text: the object and its JSON, where there are no problems. problems: each with its place.
    """

    value: Any = None
    text: str = ""
    problems: tuple[str, ...] = ()


class Schema(Protocol):
    """What an answer must be.

    name: as functions are named. definition: the JSON Schema.
    """

    @property
    def name(self) -> str: ...
    @property
    def definition(self) -> dict[str, Any]: ...

    def check(self, text: str) -> Checked:
        """The object that a text of JSON is, or what is wrong with it."""


class JsonSchema:
    """A JSON Schema, of the draft that its `$schema` names, else 2020-12. Formats are asserted.

    Patterns are matched in linear time, so that no request can hold the process up by one. References lead nowhere
    outside of the schema.

    Raises ValueError for what is no schema.
    """

    def __init__(self, name: str, definition: dict[str, Any]) -> None:
        self.name = name_of(name)
        self.definition = definition
        try:
            self._validator = jsonschema_rs.validator_for(
                definition,
                validate_formats=True,
                retriever=_refuse,
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise ValueError(_first_line(error)) from None

    def check(self, text: str) -> Checked:
        """See `Schema`."""
        try:
            value = _DECODER.decode(text)
            errors = [f"{place(error.instance_path)}: {error.message}" for error in self._validator.iter_errors(value)]
        except (ValueError, RecursionError) as error:
            return Checked(problems=(f"$: this cannot be read as JSON: {error}",))
        return Checked(problems=shortened(errors)) if errors else Checked(value, text)


def place(path: list[str | int]) -> str:
    """Where something stands in an object, as in JSONPath: `$.people[0].age`."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def shortened(problems: list[str]) -> tuple[str, ...]:
    """The first of many problems, and how many more there are."""
    rest = len(problems) - MAX_PROBLEMS
    return (*problems[:MAX_PROBLEMS], *([f"and {rest} more"] if rest > 0 else []))


def name_of(title: str) -> str:
    """A name that functions may have."""
    return _NOT_IN_NAMES.sub("_", title).strip("_")[:_MAX_NAME] or "answer"


def _refuse(address: str) -> NoReturn:
    raise ValueError(f"references lead nowhere outside of the schema, and {address!r} does")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


ANY_OBJECT = JsonSchema("answer", {"type": "object"})
"""What `response_format: {type: json_object}` asks for, where nobody says which object."""
