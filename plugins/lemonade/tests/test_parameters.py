"""What becomes of the fields of a request: what the server would ignore is refused or named, and nothing else."""

from __future__ import annotations

import pytest
from llamafarm import (
    CHAT,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGES,
    OPERATIONS,
    RERANK,
    SPEECH,
    TRANSCRIPTIONS,
    InvalidRequest,
    Operation,
)
from llamafarm_lemonade.parameters import PARAMETERS


def applied(operation: Operation, **fields):
    return PARAMETERS.apply(fields, operation, "lemonade")


def test_the_table_names_no_field_that_the_wire_does_not_have():
    known = {name for row in OPERATIONS for name in row.fields}
    known |= {f"{row.name}.{name}" for row in OPERATIONS for name in row.fields}
    assert set(PARAMETERS.fields) <= known


def test_what_has_no_effect_is_left_out_and_named():
    assert applied(CHAT, messages=[], user="u", store=True) == ({"messages": []}, ["store", "user"])
    assert applied(IMAGES, prompt="a", moderation="low", user="u") == ({"prompt": "a"}, ["moderation", "user"])


@pytest.mark.parametrize(
    "operation, fields",
    [
        (EMBEDDINGS, {"dimensions": 8}),
        (IMAGES, {"n": 2}),
        (IMAGES, {"response_format": "url"}),
        (IMAGES, {"stream": True}),
        (IMAGES, {"style": "vivid"}),
        (IMAGE_EDITS, {"background": "transparent"}),
        (TRANSCRIPTIONS, {"timestamp_granularities": ["word"]}),
        (SPEECH, {"stream_format": "sse"}),
        (SPEECH, {"instructions": "softly"}),
        (RERANK, {"return_documents": True}),
    ],
)
def test_what_the_server_would_not_do_is_refused_by_its_name(operation, fields):
    [name] = fields
    with pytest.raises(InvalidRequest, match=f"'{name}' for {operation.name}:") as caught:
        applied(operation, **fields)
    assert caught.value.param == name


@pytest.mark.parametrize(
    "operation, fields",
    [
        (IMAGES, {"n": 1, "response_format": "b64_json", "output_format": "png", "steps": 4, "cfg_scale": 1.0}),
        (IMAGE_EDITS, {"n": 2, "quality": "auto"}),
        (TRANSCRIPTIONS, {"response_format": "srt", "prompt": "Names", "temperature": 0.2, "stream": False}),
        (SPEECH, {"stream_format": "audio", "response_format": "pcm", "speed": 2.0}),
        (CHAT, {"response_format": {"type": "json_object"}, "top_k": 20, "n": 2}),
    ],
)
def test_what_it_does_anyway_and_its_own_fields_go_to_the_server(operation, fields):
    assert applied(operation, **fields) == (fields, [])
