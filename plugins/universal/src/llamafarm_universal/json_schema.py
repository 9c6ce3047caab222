"""JSON Schemas that an answer can be held to: what may stand in one, and where what may not stands.

Source of the keywords: JSON Schema 2020-12, and llguidance's docs/json_schema.md for what can be enforced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

MAX_DEPTH = 64
MAX_SCHEMAS = 5_000
"""Schemas within one, itself among them: compiling takes about a millisecond for each in large objects."""
MAX_VALUES = 20_000
"""Values of one `enum`."""

TEXT = frozenset({"string"})
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
UNENFORCED_FORMATS = frozenset(
    {
        *("idn-email", "idn-hostname", "uri-reference", "iri", "iri-reference", "uri-template", "json-pointer"),
        *("relative-json-pointer", "regex"),
    }
)
FORMATS = UNENFORCED_FORMATS | {
    *("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
}
"""Those that the standard defines; any other name is an annotation there."""
_UNENFORCED = frozenset(
    {
        *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames"),
        *("dependencies", "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
        *("$dynamicRef", "$recursiveRef"),
    }
)
_INERT = {"uniqueItems": False, "unevaluatedItems": True, "unevaluatedProperties": True}
_SINGLE = ("items", "additionalItems", "additionalProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")


class SchemaError(Exception):
    """What is wrong with a schema. pointer: where, as a JSON Pointer from `#` on."""

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer}: {problem}")
        self.pointer = pointer
        self.problem = problem


class UnenforcedKeyword(SchemaError):
    """A keyword, or a value of one, that means something and that no answer can be held to."""


def check(schema: Any, *, strict: bool = True) -> None:
    """Raise SchemaError for what is no schema, or more of one than is taken.

    strict: also UnenforcedKeyword for what cannot be enforced; else it will have no effect.
    """
    count = 0
    for pointer, part, depth in _walk(schema, "#", 1):
        count += 1
        if depth > MAX_DEPTH:
            raise SchemaError(pointer, f"it is nested more than {MAX_DEPTH} deep")
        if count > MAX_SCHEMAS:
            raise SchemaError(pointer, f"the schema has more than {MAX_SCHEMAS:,} parts")
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            raise SchemaError(pointer, "a schema must be an object")
        _check_keywords(part, pointer, schema, strict=strict)


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas directly within one, each with its way from there as a JSON Pointer."""
    for keyword in _SINGLE:
        if isinstance(value := schema.get(keyword), dict | bool):
            yield f"/{keyword}", value
    for keyword in (*_LISTED, "items"):
        if isinstance(value := schema.get(keyword), list):
            yield from ((f"/{keyword}/{index}", item) for index, item in enumerate(value))
    for keyword in _NAMED:
        if isinstance(value := schema.get(keyword), dict):
            yield from ((f"/{keyword}/{escaped(name)}", item) for name, item in value.items())


def with_subschemas(schema: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of a schema in which each schema directly within it is what `change` makes of it."""
    copied = dict(schema)
    for keyword in _SINGLE:
        if isinstance(value := schema.get(keyword), dict | bool):
            copied[keyword] = change(value)
    for keyword in (*_LISTED, "items"):
        if isinstance(value := schema.get(keyword), list):
            copied[keyword] = [change(item) for item in value]
    for keyword in _NAMED:
        if isinstance(value := schema.get(keyword), dict):
            copied[keyword] = {name: change(item) for name, item in value.items()}
    return copied


def property_types(schema: Any, name: str) -> frozenset[str] | None:
    """The types that the values of a property may have; None where a schema says nothing of it."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return types_of(properties[name], schema) if isinstance(properties, dict) and name in properties else None


def types_of(schema: Any, root: Any, depth: int = 0) -> frozenset[str] | None:
    """The types that a schema leaves to values; None where it says nothing of them. root: what references go into."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    if "const" in schema or "enum" in schema:
        return frozenset(map(type_of, schema.get("enum", [schema.get("const")])))
    if "type" in schema:
        return frozenset([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    if "$ref" in schema:
        return types_of(referred(schema["$ref"], root), root, depth + 1)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            branches = [types_of(branch, root, depth + 1) for branch in schema[keyword]]
            return None if None in branches else frozenset().union(*(types or () for types in branches))
    if len(schema.get("allOf", ())) == 1:
        return types_of(schema["allOf"][0], root, depth + 1)
    return None


def type_of(value: Any) -> str:
    """The name of a JSON value's type; a number that is whole is an integer."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if value % 1 == 0 else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def is_one_of(types: Collection[str], value: Any) -> bool:
    """Whether a value has one of these types."""
    kind = type_of(value)
    return kind in types or (kind == "integer" and "number" in types)


def referred(reference: str, root: Any) -> Any:
    """What a reference within a schema goes to; None where there is nothing."""
    target = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, dict) and name in target:
            target = target[name]
        else:
            return None
    return target


def escaped(name: str) -> str:
    """A name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _walk(schema: Any, pointer: str, depth: int) -> Iterator[tuple[str, Any, int]]:
    yield pointer, schema, depth
    if isinstance(schema, dict):
        for way, part in subschemas(schema):
            yield from _walk(part, pointer + way, depth + 1)


def _check_keywords(schema: dict[str, Any], pointer: str, root: Any, *, strict: bool) -> None:
    for keyword, value in schema.items():
        at = f"{pointer}/{escaped(keyword)}"
        if keyword in _UNENFORCED and strict and value is not _INERT.get(keyword):
            raise UnenforcedKeyword(at, f"`{keyword}` cannot be enforced")
        if (allowed := _SHAPES.get(keyword)) and not allowed[0](value):
            raise SchemaError(at, f"it must be {allowed[1]}")
        if keyword == "format" and strict and value in UNENFORCED_FORMATS:
            raise UnenforcedKeyword(at, f"the format {value!r} cannot be enforced")
        if keyword == "$ref" and (strict or value.startswith("#")):
            _check_reference(value, at, root)


def _check_reference(reference: str, at: str, root: Any) -> None:
    """A reference goes to a schema within the same document."""
    if not reference.startswith("#"):
        raise UnenforcedKeyword(at, f"{reference[:100]!r} is elsewhere: only references within the schema are followed")
    if referred(reference, root) is None:
        raise SchemaError(at, f"there is no {reference[:100]!r} in this schema")


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value) and value < 2**31


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) and value else [value]
    return all(isinstance(name, str) and name in TYPES for name in names)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


_Shape = tuple[Callable[[Any], bool], str]
_COUNT: _Shape = (_is_count, "a whole number from 0 on, below 2**31")
_NUMBER: _Shape = (_is_number, "a number within 64 bits")
_TEXT: _Shape = (_is_text, "a text")
_SCHEMA: _Shape = (lambda value: isinstance(value, dict | bool), "a schema")
_SHAPES: dict[str, _Shape] = {
    "type": (_is_type, "one of " + ", ".join(TYPES) + ", or a list of them"),
    "enum": (lambda value: _is_list(value) and len(value) <= MAX_VALUES, f"a list of 1 to {MAX_VALUES:,} values"),
    "required": (_are_texts, "a list of names"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number greater than 0"),
    "items": (lambda value: isinstance(value, dict | bool | list), "a schema"),
    **dict.fromkeys(("additionalItems", "additionalProperties"), _SCHEMA),
    **dict.fromkeys(_LISTED, (_is_list, "a list of schemas, and not empty")),
    **dict.fromkeys(_NAMED, (lambda value: isinstance(value, dict), "an object of schemas")),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("pattern", "format", "$ref"), _TEXT),
}
MEANINGFUL = frozenset({"const", "$schema", "$id", "$anchor"}) | _SHAPES.keys() | _UNENFORCED
"""Keywords that say which values fit, or where references go; any other one is an annotation."""
