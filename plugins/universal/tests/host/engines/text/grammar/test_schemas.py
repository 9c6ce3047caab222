"""JSON of any schema: what is written to its end is valid."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llamafarm_universal.failure import RequestFailed
from random_schemas import schema
from speaker import Speaker, as_json, speaker_with
from tiny_models import make_byte_fallback_tokenizer

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
POINTS = {"allOf": [{"properties": {"x": {"const": 1}}}, {"properties": {"y": {"const": 2}}, "required": ["x", "y"]}]}
LIST = {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}, "type": "object"}}, "$ref": "#/$defs/n"}
LEAF = {"type": "object", "properties": {"kind": {"const": "leaf"}}, "required": ["kind"]}
TREE = {  # as pydantic describes a union of classes that a field tells apart, one of which holds the union
    "$defs": {
        "Leaf": LEAF,
        "Node": {
            "type": "object",
            "properties": {"kind": {"const": "node"}, "children": {"type": "array", "items": {
                "discriminator": {"mapping": {"leaf": "#/$defs/Leaf", "node": "#/$defs/Node"}, "propertyName": "kind"},
                "oneOf": [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Leaf"}],
            }}},
            "required": ["kind", "children"],
        },
    },
    "$ref": "#/$defs/Node",
}  # fmt: skip
OLD = {"properties": {"next": {"$ref": "#", "deprecated": True}}, "type": "object"}
TWO_FIT = {"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return speaker_with()


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_whole_answers_to_made_up_schemas_are_valid(speaker: Speaker, first: int) -> None:
    whole = 0
    for seed in range(first, first + 50):
        made = schema(seed)
        answer = speaker.says(as_json(made), Random(seed))
        if answer is not None:
            whole += 1
            validator = Draft202012Validator(made, format_checker=Draft202012Validator.FORMAT_CHECKER)
            validator.validate(json.loads(answer))
    assert whole >= 45


def test_so_are_those_of_tokenizers_that_fall_back_to_bytes() -> None:
    speaker = Speaker(make_byte_fallback_tokenizer(strips=True))
    for seed in range(20):
        answer = speaker.says(as_json(schema(seed)), Random(seed))
        assert answer is None or Draft202012Validator(schema(seed)).is_valid(json.loads(answer))


@pytest.mark.parametrize(("made", "written", "becomes"), [
    (CITY, '{"city": "Rome", "days": 2}', "finished"),
    (CITY, '{"city":"Rome"}', "finished"),
    (CITY, '{\n  "city": "Rome"\n}', "finished"),
    (CITY, '{"city": "Rome", "more', """'{"city": "Rome", "' goes on with no 'm'"""),
    (CITY, '{"city":  "', """'{"city": ' goes on with no ' '"""),
    (CITY, '{"city": "Rome"} ', """'{"city": "Rome"}' goes on with no ' '"""),
    ({**CITY, "additionalProperties": True}, '{"city": "Rome", "more": null}', "finished"),
    (POINTS, '{"x": 1, "y": 2, "z": 3}', "finished"),
    (LIST, '{"next": {"next": {}}}', "finished"),
    (TREE, '{"kind": "node", "children": [{"kind": "leaf"}, {"kind": "node", "children": []}]}', "finished"),
    (OLD, '{"next": {"next": {}}}', "finished"),
    ({"type": "string", "format": "binary"}, '"any"', "finished"),
    ({"type": "number", "exclusiveMinimum": 5, "exclusiveMaximum": 5.5}, "5", "open"),
    ({"type": "number", "exclusiveMinimum": -5.5, "exclusiveMaximum": -5}, "-5", "open"),
    ({"type": "number", "exclusiveMinimum": 5, "exclusiveMaximum": 5.5}, "5.25", "may end"),
    (True, "[1, {}]", "finished"),
])  # fmt: skip
def test_white_space_is_bounded_and_objects_are_closed_where_that_rules_nothing_out(
    speaker: Speaker, made: Any, written: str, becomes: str
) -> None:
    assert speaker.reads(as_json(made), written) == becomes


@pytest.mark.parametrize(("made", "says"), [
    (TWO_FIT, "might fit two branches"),
    ({"type": "string", "pattern": "(?=a)b"}, "look-ahead and look-behind, is not supported"),
    ({"properties": {"a": False}, "required": ["a"], "type": "object"}, "required property 'a' is unsatisfiable"),
    ({"$ref": "#"}, "what no text can be"),
    ({"type": "string", "minLength": 3, "maxLength": 1}, "minLength (3) is greater than maxLength (1)"),
])  # fmt: skip
def test_what_cannot_be_kept_to_is_refused_in_words(speaker: Speaker, made: Any, says: str) -> None:
    with pytest.raises(RequestFailed, match="response_format") as refused:
        speaker.held(as_json(made))
    assert (refused.value.kind, refused.value.param) == ("invalid_request", "response_format")
    assert says in refused.value.message
    assert "%json" not in refused.value.message


def test_without_strict_what_cannot_be_enforced_has_no_effect(speaker: Speaker) -> None:
    assert speaker.reads(as_json(TWO_FIT, strict=False), '"ab"') == "finished"
    unique = {"type": "array", "uniqueItems": True}
    assert speaker.reads(as_json(unique, strict=False), "[1, 1]") == "finished"
