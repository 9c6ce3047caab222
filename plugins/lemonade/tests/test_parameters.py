"""The table of parameters says something of every field that the wire has."""

from __future__ import annotations

import pytest
from llamafarm.errors import InvalidRequest
from llamafarm.wire.operations import CHAT, EMBEDDINGS, OPERATIONS
from llamafarm_lemonade.parameters import FIELDS, PARAMETERS


def test_every_field_of_every_operation_stands_in_the_table_and_no_other():
    assert set(FIELDS) == {name for operation in OPERATIONS for name in operation.fields}


def test_what_has_no_effect_is_left_out_and_named():
    fields, ignored = PARAMETERS.apply({"messages": [], "user": "u", "store": True}, CHAT, "lemonade")
    assert (fields, ignored) == ({"messages": []}, ["store", "user"])


def test_a_length_of_vectors_that_the_server_would_not_keep_is_refused():
    with pytest.raises(InvalidRequest, match="dimensions"):
        PARAMETERS.apply({"input": "a", "dimensions": 8}, EMBEDDINGS, "lemonade")


def test_what_the_wire_does_not_know_goes_to_the_server():
    assert PARAMETERS.apply({"messages": [], "top_k": 20}, CHAT, "lemonade") == ({"messages": [], "top_k": 20}, [])
