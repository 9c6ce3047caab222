"""Schemas of arguments, in the words that every runtime understands.

Runtimes differ in what they take: some refuse `$ref`, most refuse or ignore `not`, `if` and what else no decoder can
hold an answer to. What is left says less than the whole schema, never more: arguments are checked against that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_SILENT = frozenset(
    {"$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "deprecated", "readOnly", "title"}
)
"""They are lost without changing what arguments may be; titles repeat names, and cost tokens in every prompt."""
_SCHEMAS = ("items", "additionalProperties")
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf", "prefixItems": "prefixItems"}
_MAX_DEPTH = 32
_MAX_PARTS = 2_000
"""Schemas within one: references that lead to each other can make billions of a page."""


class Simplified:
    """A schema of arguments, simplified. lost: the keywords that it does not have any more."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.lost: set[str] = set()
        self._root = schema
        self._parts = 0
        self.schema: dict[str, Any] = {"properties": {}, **self._made(schema, (), 0), "type": "object"}

    def _made(self, schema: Any, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        """within: the references that have led here."""
        self._parts += 1
        if not isinstance(schema, Mapping):
            if schema is not True:
                self.lost.add("false")
            return {}
        if depth > _MAX_DEPTH or self._parts > _MAX_PARTS:
            self.lost.add("too large")
            return {}
        made = self._referred(schema["$ref"], within, depth) if "$ref" in schema else {}
        for keyword, value in schema.items():
            if keyword != "$ref":
                self._keep(made, keyword, value, within, depth + 1)
        if "patternProperties" in schema:  # without it, it would rule out more than the whole schema
            made.pop("additionalProperties", None)
        return made

    def _referred(self, reference: Any, within: tuple[str, ...], depth: int) -> dict[str, Any]:
        target = _target(self._root, reference) if reference not in within else None
        if target is None:
            self.lost.add("$ref")
            return {}
        return self._made(target, (*within, reference), depth + 1)

    def _keep(self, made: dict[str, Any], keyword: str, value: Any, within: tuple[str, ...], depth: int) -> None:
        if (is_right := _PLAIN.get(keyword)) and is_right(value):
            made[keyword] = value
        elif keyword in _SCHEMAS and isinstance(value, Mapping | bool):
            made[keyword] = value if isinstance(value, bool) else self._made(value, within, depth)
        elif keyword in _LISTS and isinstance(value, list) and value and _LISTS[keyword] not in made:
            made[_LISTS[keyword]] = [self._made(item, within, depth) for item in value]
        elif keyword == "properties" and isinstance(value, Mapping):
            made[keyword] = {name: self._made(item, within, depth) for name, item in value.items()}
        elif keyword not in _SILENT and not keyword.startswith("x-"):
            self.lost.add(keyword)


def _target(root: Any, reference: Any) -> Any:
    """What a reference within the schema leads to; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    target = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, Mapping) and name in target:
            target = target[name]
        else:
            return None
    return target


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) and value else [value]
    return all(isinstance(name, str) and name in _TYPES for name in names)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_any(value: Any) -> bool:  # noqa: ARG001 - as the other rules
    return True


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "required": _are_texts,
    "enum": _is_list,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    **dict.fromkeys(("const", "default"), _is_any),
    **dict.fromkeys(("description", "format", "pattern"), _is_text),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    "examples": _is_list,
}
"""Keywords without schemas in them, each with what it may say."""
