"""Example values for a JSON Schema: the smallest one, the fullest one, and one for each choice that a field leaves.

Knows what pydantic writes. A field whose type alone does not say what it takes (it has a pattern or a validator) shows
one: `Field(examples=["512x512"])`, which users of the schema read too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

MASK = "**********"
"""What pydantic writes in the place of a secret: the only one that comes back as it was."""

FORMATS = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:30:00Z",
    "time": "12:30:00Z",
    "duration": "PT90S",
    "uuid": "12345678-1234-4678-9234-567812345678",
    "uri": "http://127.0.0.1:9/",
    "email": "someone@example.org",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "binary": "AAAA",
    "password": MASK,
}


def examples(schema: Schema) -> Iterator[Any]:
    """Values for the schema of an object: what is required alone, everything, and every other choice of each field.

    For that of a list, lists of one each. A schema that shows examples of its own has no others.
    """
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions[_name(schema)]
    if shown := schema.get("examples"):
        yield from shown
        return
    if schema.get("type") == "array":
        yield from ([item] for item in examples({**schema["items"], "$defs": definitions}))
        return
    choices = {name: values(part, definitions) for name, part in schema.get("properties", {}).items()}
    required = _firsts({name: choices[name] for name in schema.get("required", ())})
    yield required
    yield _firsts(choices)
    for name, found in choices.items():
        yield from ({**required, name: value} for value in found[1:])


def values(schema: Schema, definitions: Mapping[str, Schema]) -> list[Any]:
    """One value for each way of meeting `schema`, the most telling one first; none where it leads to itself."""
    if shown := schema.get("examples"):
        return list(shown)
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    if "$ref" in schema:
        rest = {name: one for name, one in definitions.items() if name != _name(schema)}
        return values(definitions[_name(schema)], rest) if _name(schema) in definitions else []
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return [value for part in schema[key] for value in _of_choice(part, schema, definitions)]
    if "allOf" in schema:
        return values(schema["allOf"][0], definitions)
    return [_of_type(schema, definitions)] if "default" not in schema else _with_default(schema, definitions)


def _of_choice(part: Schema, around: Schema, definitions: Mapping[str, Schema]) -> list[Any]:
    """Values for one of several choices; those of a pattern are the default, where there is one, or the null."""
    if "pattern" in part and "examples" not in part:
        return [] if around.get("default") is None else [around["default"]]
    return values(part, definitions)


def _with_default(schema: Schema, definitions: Mapping[str, Schema]) -> list[Any]:
    if "pattern" in schema:
        return [schema["default"]]
    return [_of_type(schema, definitions), schema["default"]]


def _of_type(schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    kind = schema.get("type")
    if kind == "string":
        return _string(schema)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "array":
        return _array(schema, definitions)
    if kind == "object":
        return _object(schema, definitions)
    return None if kind == "null" else "anything"


def _string(schema: Schema) -> str:
    if found := FORMATS.get(schema.get("format", "")):
        return found
    return "text".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _number(schema: Schema, *, whole: bool) -> float:
    """Inside the bounds; with a lower one, just above it."""
    step = schema.get("multipleOf", 1)
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + (step if whole else _room(schema))
    if low is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    found: float = low if low is not None else min(step, high) if high is not None else step
    return -(-found // step) * step if "multipleOf" in schema else found


def _room(schema: Schema) -> float:
    """How far above an exclusive lower bound a number may stand."""
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return 1.0 if high is None else float(high - schema["exclusiveMinimum"]) / 2


def _array(schema: Schema, definitions: Mapping[str, Schema]) -> list[Any]:
    if "prefixItems" in schema:
        return [value for part in schema["prefixItems"] for value in values(part, definitions)[:1]]
    found = values(schema.get("items", {}), definitions)
    wanted = max(1, schema.get("minItems", 0))
    return found[:1] * wanted if not schema.get("uniqueItems") else found[:wanted]


def _object(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Any]:
    if "properties" in schema:
        return _firsts({name: values(part, definitions) for name, part in schema["properties"].items()})
    further = schema.get("additionalProperties", {})
    return _firsts({"key": values(further, definitions)}) if isinstance(further, dict) else {}


def _firsts(choices: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: found[0] for name, found in choices.items() if found}


def _name(reference: Schema) -> str:
    """The definition's name in a schema that is only a reference."""
    return str(reference["$ref"]).rsplit("/", 1)[1]
