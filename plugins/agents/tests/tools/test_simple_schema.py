"""Schemas of arguments as every runtime takes them: they allow at least what the whole schema allows."""

from __future__ import annotations

import jsonschema_rs
import pytest
from llamafarm_agents.tools.simple_schema import Simplified

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "value": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "simple", "lost"),
    [
        ({}, {}, set()),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "x-order": 1, "title": "Arguments"}, {}, set()),
        ({"properties": {"a": {"$ref": "#/$defs/a", "description": "A."}}, "$defs": {"a": {"type": "string"}}},
         {"properties": {"a": {"type": "string", "description": "A."}}}, set()),
        ({"properties": {"a": {"$ref": "https://example.org/a.json"}}}, {"properties": {"a": {}}}, {"$ref"}),
        ({"properties": {"a": {"$ref": "#/$defs/node"}}, "$defs": {"node": NODE}},
         {"properties": {"a": {**NODE, "properties": {"next": {}, "value": {"type": "integer"}}}}}, {"$ref"}),
        ({"properties": {"a": {"type": "integer", "not": {"const": 3}}}, "if": {}, "then": {}},
         {"properties": {"a": {"type": "integer"}}}, {"not", "if", "then"}),
        ({"patternProperties": {"^x": {}}, "additionalProperties": False}, {}, {"patternProperties"}),
        ({"properties": {"a": {"oneOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}]}}},
         {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, {"contentEncoding"}),
        ({"properties": {"a": {"type": "text", "enum": [], "maxLength": -1}}, "required": True},
         {"properties": {"a": {}}}, {"type", "enum", "maxLength", "required"}),
        ({"properties": {"a": False, "b": True}}, {"properties": {"a": {}, "b": {}}}, {"false"}),
        ({"properties": {"title": {"title": "Title"}}}, {"properties": {"title": {}}}, set()),
        ({"type": ["object", "null"], "items": {"type": "string"}}, {"items": {"type": "string"}}, set()),
    ],
)  # fmt: skip
def test_what_is_left_is_plain(schema, simple, lost):
    made = Simplified(schema)
    assert made.schema == {"properties": {}, "type": "object", **simple}
    assert made.lost == lost


def test_references_that_make_billions_of_a_page_are_cut():
    bomb = {f"d{at}": {"properties": {name: {"$ref": f"#/$defs/d{at + 1}"} for name in "abcdefgh"}} for at in range(20)}
    made = Simplified({"$ref": "#/$defs/d0", "$defs": bomb})
    assert "too large" in made.lost
    jsonschema_rs.validator_for(made.schema)
