"""Branches that exclude each other."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.host.engines.text.grammar.one_of import exclude_each_other

DEFINITIONS: dict[str, Any] = {"Pet": {"enum": ["cat", "dog"]}, "Loop": {"$ref": "#/$defs/Loop"}}


def tagged(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"kind": value}, "required": ["kind"], **more}


DEFINITIONS |= {
    "Cat": tagged({"const": "cat"}),
    "Cow": tagged({"const": "cow"}),
    "Any": tagged({"$ref": "#/$defs/Pet"}),
}
CAT, COW, ANY, LOOP = ({"$ref": f"#/$defs/{name}"} for name in ("Cat", "Cow", "Any", "Loop"))


@pytest.mark.parametrize(("branches", "apart"), [
    ([{"type": "string"}, {"type": ["integer", "null"]}], True),
    ([{"type": "number"}, {"type": "integer"}], False),
    ([{"type": "string"}, {}], False),
    ([{"type": "string"}, True], False),
    ([{"const": 1}, {"const": "1"}, {"enum": [2, None, True]}], True),
    ([{"const": 1}, {"enum": [1.0, 2]}], False),
    ([{"enum": ["a"]}, {"enum": ["b", []]}], False),
    ([{"enum": ["a"]}, {"enum": ["b"]}, {"type": "integer"}], True),
    ([CAT, COW], True),
    ([CAT, COW, {"type": "null"}], True),
    ([CAT, CAT], False),
    ([CAT, ANY], False),
    ([COW, ANY], True),
    ([CAT, {**DEFINITIONS["Cow"], "required": []}], False),
    ([CAT, tagged({"type": "string"})], False),
    ([CAT, tagged(True)], False),
    ([tagged({"const": "a"}, required=["kind", "x"]), tagged({"const": "b"}, required=["x", "kind"])], True),
    ([CAT, LOOP], False),
    ([CAT, {"$ref": "#/nowhere"}], False),
])  # fmt: skip
def test_no_value_fits_two_branches(branches: list[Any], apart: bool) -> None:
    assert exclude_each_other(branches, {"$defs": DEFINITIONS}) is apart
