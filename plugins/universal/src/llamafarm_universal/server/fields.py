"""Reading a request's body field by field: each table says for each field whether it is done, advisory or refused.

A parser takes the value and the field's path (for messages and `param`), returns what the server works with, and
raises RequestError. A field that is null counts as absent.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from llamafarm.errors import RequestError
from llamafarm.wire import BodyError, parse_object

Parser = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Done:
    """The field has its effect. note: what the values are, where the wire has more than are done."""

    parse: Parser
    required: bool = False
    note: str = ""


@dataclass(frozen=True)
class Advisory:
    """The field has no effect on the answer; it is named in the header `X-LF-Ignored`."""


@dataclass(frozen=True)
class Refused:
    """The field cannot be honoured. inert: values that ask for nothing and are let through. why: what to do instead."""

    why: str
    inert: tuple[Any, ...] = ()


Rule = Done | Advisory | Refused
Table = Mapping[str, Rule]

TOO_LARGE = 2**64
"""A whole number that no program means: JSON can write thousands of digits, and each message would repeat them."""
SEED_LIMIT = 2**63 - 1
"""The largest seed: a number of 64 bits with a sign."""
MAX_LISTED = 8
"""So many known fields are listed where none is near the unknown one."""


@dataclass(frozen=True)
class Parsed:
    """values: the parsed fields that were given. ignored: names of advisory fields that were given."""

    values: Mapping[str, Any]
    ignored: tuple[str, ...]

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)


def parse(body: Mapping[str, Any], table: Table) -> Parsed:
    """Read `body` by `table`. Raises RequestError for the first field that is wrong, unknown, refused or missing."""
    values: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in body.items():
        rule = table.get(name)
        if rule is None:
            _unknown(name, table)
        if value is None:
            continue
        match rule:
            case Done():
                values[name] = rule.parse(value, name)
            case Advisory():
                ignored.append(name)
            case Refused():
                _refuse(name, value, rule)
    for name, rule in table.items():
        if isinstance(rule, Done) and rule.required and name not in values:
            raise RequestError(f"{name!r} is missing.", param=name, code="missing_field")
    return Parsed(values, tuple(ignored))


def wrong(path: str, allowed: str, value: Any) -> NoReturn:
    """Raise RequestError: `path` must be `allowed`, and what was found."""
    raise RequestError(f"{path!r} must be {allowed}, not {show(value)}.", param=path, code="invalid_value")


def show(value: Any) -> str:
    """Return a value as an error message shows it: short, and without the contents of texts and lists."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)[:40]
        case str():
            return repr(value) if len(value) <= 40 else f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
    return "an object"


def number(low: float, high: float, *, above: bool = False) -> Parser:
    """A number from `low` to `high`; with `above`, greater than `low`."""
    allowed = f"a number greater than {low:g}, at most {high:g}" if above else f"a number from {low:g} to {high:g}"

    def parse_number(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            wrong(path, allowed, value)
        if above and value == low:
            wrong(path, allowed, value)
        return float(value)

    return parse_number


def integer(low: int, high: int | None = None) -> Parser:
    """A whole number from `low` to `high`, or of at least `low`."""
    allowed = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"

    def parse_integer(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
            wrong(path, allowed, value)
        if value >= TOO_LARGE:
            wrong(path, "a whole number below 2**64", value)
        return value

    return parse_integer


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        wrong(path, "true or false", value)
    return value


def text(value: Any, path: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        wrong(path, "a text that is not empty", value)
    return value


def choice(*allowed: str) -> Parser:
    names = ", ".join(repr(name) for name in allowed)

    def parse_choice(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            wrong(path, f"one of {names}", value)
        return value

    return parse_choice


def any_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        wrong(path, "a text", value)
    return value


def record(**parsers: Parser) -> Parser:
    """An object that has these fields and no others; null counts as absent."""
    table = {name: Done(parser) for name, parser in parsers.items()}

    def parse_record(value: Any, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, item in as_object(value, path).items():
            if name not in table:
                _unknown(name, table, path)
            if item is not None:
                found[name] = table[name].parse(item, f"{path}.{name}")
        return found

    return parse_record


def as_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        wrong(path, "an object", value)
    return value


def as_object_or_json(value: Any, path: str, kind: str) -> dict[str, Any]:
    """An object, or a text that holds one. kind: what it is, for whoever sends something else in a text."""
    if isinstance(value, str):
        try:
            value = parse_object(value)
        except BodyError:
            wrong(path, kind, value)
    return as_object(value, path)


def as_list(value: Any, path: str, *, most: int) -> list[Any]:
    """A list of one to `most` items."""
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        wrong(path, f"a list of 1 to {most} items", value)
    return value


def _unknown(name: str, known: Collection[str], path: str = "") -> NoReturn:
    where = f"{path}.{name}" if path else name
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    some = ", ".join(repr(field) for field in known) if len(known) <= MAX_LISTED else None
    hint = f"Did you mean {near[0]!r}?" if near else some and f"There is {some}."
    raise RequestError(f"Unknown field {where[:100]!r}.", hint=hint, param=where[:100], code="unknown_field")


def _refuse(name: str, value: Any, rule: Refused) -> None:
    # 1 == True in Python, and the two are different things on the wire
    if any(type(value) is type(inert) and value == inert for inert in rule.inert):
        return
    raise RequestError(f"{name!r} is not supported here: {rule.why}", param=name, code="unsupported_parameter")
