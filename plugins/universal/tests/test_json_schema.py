"""What may stand in a schema that answers are held to, and where what may not stands."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.json_schema import (
    MAX_DEPTH,
    SchemaError,
    UnenforcedKeyword,
    check,
    is_one_of,
    property_types,
    with_subschemas,
)

NODE = {"$defs": {"a/b": {"type": "object", "properties": {"next": {"$ref": "#/$defs/a~1b"}}}}, "$ref": "#/$defs/a~1b"}


def nested(depth: int) -> dict[str, Any]:
    return {"type": "string"} if depth == 1 else {"properties": {"a": nested(depth - 1)}}


@pytest.mark.parametrize("schema", [
    True,
    {},
    NODE,
    {"$ref": "#"},
    nested(MAX_DEPTH),
    {"type": ["string", "null"], "nullable": True, "x-order": 3, "title": "T", "$comment": "not for machines"},
    {"properties": {"not": {"type": "string"}, "if": {"const": {"not": 1}}}, "required": ["not"]},
    {"type": "array", "items": [{"type": "string"}], "additionalItems": False, "uniqueItems": False},
    {"type": "string", "format": "binary"},
    {"anyOf": [{"minimum": 0, "exclusiveMaximum": 1.5, "multipleOf": 0.5}, {"maxLength": 3.0}], "minItems": 0},
])  # fmt: skip
def test_what_can_be_enforced_or_says_nothing_may_stand(schema: Any) -> None:
    check(schema)


@pytest.mark.parametrize(("schema", "pointer", "problem"), [
    ({"type": "strin"}, "#/type", "one of null, boolean"),
    ({"properties": {"a/b": {"type": []}}}, "#/properties/a~1b/type", "one of null, boolean"),
    ({"properties": []}, "#/properties", "an object of schemas"),
    ({"properties": {"a": 3}}, "#/properties/a", "a schema must be an object"),
    ({"anyOf": []}, "#/anyOf", "not empty"),
    ({"anyOf": [{}, "a"]}, "#/anyOf/1", "a schema must be an object"),
    ({"items": "string"}, "#/items", "a schema"),
    ({"enum": []}, "#/enum", "1 to 20,000 values"),
    ({"enum": list(range(20_001))}, "#/enum", "1 to 20,000 values"),
    ({"required": True}, "#/required", "a list of names"),
    ({"minLength": -1}, "#/minLength", "a whole number"),
    ({"maxItems": 1.5}, "#/maxItems", "a whole number"),
    ({"maxItems": 2**31}, "#/maxItems", "below 2**31"),
    ({"exclusiveMinimum": True}, "#/exclusiveMinimum", "a number"),
    ({"multipleOf": 0}, "#/multipleOf", "greater than 0"),
    ({"pattern": 3}, "#/pattern", "a text"),
    ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, "#/$ref", "there is no '#/$defs/b'"),
    (nested(MAX_DEPTH + 1), "#" + "/properties/a" * MAX_DEPTH, "nested more than 64 deep"),
    ({"properties": {str(i): {} for i in range(5001)}}, "#/properties/4999", "more than 5,000 parts"),
    ("a schema", "#", "a schema must be an object"),
])  # fmt: skip
def test_what_is_no_schema_is_found_where_it_stands(schema: Any, pointer: str, problem: str) -> None:
    for strict in (True, False):
        with pytest.raises(SchemaError) as wrong:
            check(schema, strict=strict)
        assert wrong.value.pointer == pointer
        assert problem in wrong.value.problem


@pytest.mark.parametrize(("schema", "pointer"), [
    ({"properties": {"tags": {"type": "array", "uniqueItems": True}}}, "#/properties/tags/uniqueItems"),
    ({"allOf": [{"not": {"const": 1}}]}, "#/allOf/0/not"),
    ({"if": {}, "then": {}}, "#/if"),
    ({"unevaluatedProperties": False}, "#/unevaluatedProperties"),
    ({"type": "string", "format": "regex"}, "#/format"),
    ({"$ref": "https://example.org/schema"}, "#/$ref"),
])  # fmt: skip
def test_what_cannot_be_enforced_is_an_error_of_strict_schemas_alone(schema: Any, pointer: str) -> None:
    with pytest.raises(UnenforcedKeyword) as unenforced:
        check(schema)
    assert unenforced.value.pointer == pointer
    check(schema, strict=False)


def test_a_changed_copy_leaves_the_schema_alone() -> None:
    schema = {"items": [{}, True], "properties": {"a": {}}, "anyOf": [{}], "additionalProperties": False, "title": "T"}
    changed = with_subschemas(schema, lambda part: {"was": part})
    assert changed == {
        "items": [{"was": {}}, {"was": True}],
        "properties": {"a": {"was": {}}},
        "anyOf": [{"was": {}}],
        "additionalProperties": {"was": False},
        "title": "T",
    }
    assert schema["properties"] == {"a": {}}


NAMED = {"$defs": {"N": {"anyOf": [{"$ref": "#/$defs/Name"}, {"type": "null"}]}, "Name": {"type": "string"}}}


@pytest.mark.parametrize(("schema", "types"), [
    ({"type": "string"}, {"string"}),
    ({"type": ["integer", "null"]}, {"integer", "null"}),
    ({"enum": ["a", 1, 1.5, None, True, [], {}]},
     {"string", "integer", "number", "null", "boolean", "array", "object"}),
    ({"const": 2.0}, {"integer"}),
    ({"$ref": "#/$defs/N"}, {"string", "null"}),
    ({"oneOf": [{"type": "array"}, {"const": "x"}]}, {"array", "string"}),
    ({"allOf": [{"type": "boolean"}]}, {"boolean"}),
    ({"anyOf": [{"type": "string"}, {}]}, None),
    ({"allOf": [{"type": "string"}, {"minLength": 1}]}, None),
    ({"description": "anything"}, None),
    ({"$ref": "#/properties/x"}, None),
    (True, None),
])  # fmt: skip
def test_the_types_that_a_property_may_have(schema: Any, types: set[str] | None) -> None:
    assert property_types({"properties": {"x": schema}, **NAMED}, "x") == types
    assert property_types({"properties": {}}, "x") is None
    assert property_types(None, "x") is None


def test_a_whole_number_is_a_number_too() -> None:
    assert is_one_of({"number"}, 1)
    assert is_one_of({"integer"}, 1.0)
    assert not is_one_of({"integer"}, 1.5)
    assert not is_one_of({"integer", "number"}, True)
