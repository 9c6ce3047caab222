"""JSON Schemas as llguidance takes them inside a grammar."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from llguidance import LLMatcher

from llamafarm_universal.host.engines.text.grammar.one_of import exclude_each_other
from llamafarm_universal.json_schema import FORMATS, MEANINGFUL, subschemas, with_subschemas

WHITE_SPACE = r"\x20|\n\x20{0,16}"
"""At most this stands where JSON allows white space, so that it can be compact, like `json.dumps`, or indented. Small
models that may write any amount of it sometimes never stop."""
ANY_OBJECT: Mapping[str, Any] = {"type": "object", "additionalProperties": True}
_STEP = 1e-6
RULES_KEPT = 512  # clients send the same tools with each request, up to 128 of them
_COMBINING = {"allOf", "anyOf", "oneOf", "$ref"}
_CONSTRAINING = {"properties", "required", "additionalProperties", "patternProperties"}
_OPENING = {"additionalProperties", "patternProperties"}


def json_rule(schema: Any, *, strict: bool) -> str:
    """What matches the JSON texts of a schema.

    Objects that name their properties have no others, unless the schema says so. strict: a keyword that cannot be
    enforced is an error when the grammar is compiled; else it has no effect.
    """
    options = {"whitespace_pattern": WHITE_SPACE, **({} if strict else {"lenient": True})}
    return "%json " + json.dumps({**prepared({} if schema is True else schema), "x-guidance": options})


def arguments_rule(schema: Any, *, strict: bool) -> str:
    """What matches the arguments of a call in JSON."""
    return json_rule(arguments_schema(schema), strict=strict)


def arguments_schema(schema: Any) -> dict[str, Any]:
    """That of a tool's arguments: an object in any case, and an empty one of a tool without parameters."""
    return {"type": "object", **({"properties": {}, "additionalProperties": False} if schema is None else schema)}


@lru_cache(RULES_KEPT)
def error_in(rule: str) -> str:
    """What is wrong with such a rule; empty where it can be enforced."""
    return LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(f"start: {rule}"))


def prepared(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy for grammars, in the words that llguidance understands best.

    Objects that name their properties are closed where that rules nothing out; what says nothing of values is left out,
    since beside a reference that leads back to itself it is an error there.
    """
    kept = MEANINGFUL | frozenset(step for reference in _references(schema) for step in reference.split("/"))
    closes = not _intersects(schema)

    def change(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        copied = with_subschemas({name: value for name, value in part.items() if name in kept}, change)
        if copied.get("format") not in FORMATS:
            copied.pop("format", None)
        if "oneOf" in part and "anyOf" not in part and exclude_each_other(part["oneOf"], schema):
            copied["anyOf"] = copied.pop("oneOf")
        _mend_bounds(copied)
        if closes and _names_all(part):
            copied["additionalProperties"] = False
        return copied

    copied: dict[str, Any] = change(schema)
    return copied


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for _, part in subschemas(schema):
            yield from _references(part)


def _names_all(schema: Mapping[str, Any]) -> bool:
    """Whether an object names its properties and says nothing of others."""
    if "properties" not in schema or _OPENING & schema.keys():
        return False
    return bool(set(schema.get("required", ())) <= schema["properties"].keys())


def _intersects(schema: Any) -> bool:
    """Whether an object has to fit several schemas at once anywhere: closing one of them could rule all others out."""
    if not isinstance(schema, dict):
        return False
    combining = _COMBINING & schema.keys()
    several = len(combining) > 1 or len(schema.get("allOf", ())) > 1
    return (
        several
        or bool(combining and _CONSTRAINING & schema.keys())
        or any(_intersects(part) for _, part in subschemas(schema))
    )


def _mend_bounds(schema: dict[str, Any]) -> None:
    """Put a bound that excludes a whole number beside it, where the range ends before the next whole number.

    llguidance 1.9.1 takes 5 for greater than 5 in ranges such as that from 5 to 5.5.
    """
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least = max(schema.get("minimum", -math.inf), -math.inf if low is None else low)
    most = min(schema.get("maximum", math.inf), math.inf if high is None else high)
    if low is not None and 0 <= low == int(low) and most < low + 1:
        del schema["exclusiveMinimum"]
        schema["minimum"] = max(least, low + _STEP)
    if high is not None and 0 >= high == int(high) and least > high - 1:
        del schema["exclusiveMaximum"]
        schema["maximum"] = min(most, high - _STEP)
