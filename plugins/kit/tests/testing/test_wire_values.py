"""Each field of the wire has a plausible value, whatever its type is."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import pytest
from llamafarm.wire.operations import CHAT, OPERATIONS
from llamafarm_kit.testing.wire_values import plausible, values_of


class Inner(TypedDict):
    name: str
    tags: NotRequired[list[str]]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_field_of_an_operation_has_a_value_that_is_not_null(operation):
    values = values_of(operation)
    assert values.keys() == operation.fields
    assert all(value is not None for known in values.values() for value in known)


@pytest.mark.parametrize(
    "kind, value",
    [
        (str, "lf-value"),
        (int | None, 5),
        (NotRequired[float | None], 0.75),
        (Literal["float", "base64"] | None, "base64"),
        (str | list[str], ["lf-value"]),
        (dict[str, float], {"lf-key": 0.75}),
        (Inner, {"name": "lf-value", "tags": ["lf-value"]}),
        (list[Any], ["lf-value"]),
    ],
    ids=str,
)
def test_a_value_is_made_from_its_type(kind, value):
    assert plausible(kind) == value


def test_a_type_that_nobody_thought_of_is_an_error_and_no_guess():
    with pytest.raises(TypeError, match="No plausible value is known"):
        plausible(complex)


def test_zeros_that_mean_something_are_tried_too():
    assert 0 in values_of(CHAT)["temperature"]
