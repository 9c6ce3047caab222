"""A form becomes the request that its JSON would have been."""

from __future__ import annotations

import pytest
from llamafarm.api.form import fields_of
from llamafarm.errors import RequestError
from llamafarm.http.form import encoded_form
from llamafarm.wire.operations import IMAGE_EDITS, IMAGE_VARIATIONS, OPERATIONS, TRANSCRIPTIONS
from llamafarm.wire.upload import Upload
from llamafarm_kit.testing.provider_setup import REQUESTS
from llamafarm_kit.testing.wire_values import values_of
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

COUNT, AMOUNT = "a whole number of at least 1", "a number of at least 0"
FILE = Upload("cat.png", b"a picture", "image/png")


def read(*parts, operation=TRANSCRIPTIONS):
    return fields_of(parts, operation)


@pytest.mark.parametrize(("name", "text", "value"), [
    ("temperature", "0.5", 0.5), ("temperature", "2.0", 2.0), ("temperature", "1e-1", 0.1), ("temperature", "0", 0),
    ("stream", "true", True), ("stream", "False", False), ("stream", "1", True), ("stream", "0", False),
    ("prompt", "7", "7"), ("prompt", "true", "true"), ("prompt", "", ""), ("prompt", '{"a": 1}', '{"a": 1}'),
    ("chunking_strategy", "auto", "auto"), ("chunking_strategy", '{"type": "vad"}', {"type": "vad"}),
    ("chunking_strategy", "7", "7"), ("chunking_strategy", "[" * 100_000, "[" * 100_000),
    ("keywords", "7", ["7"]), ("acme_beams", "7", "7"),
])  # fmt: skip
def test_a_text_becomes_what_the_wire_has_there_and_else_stays_one(name, text, value):
    found = read((name, text))
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(("name", "text", "wanted"), [
    ("n", "2.0", COUNT), ("n", "two", COUNT), ("n", "", COUNT), ("n", "0", COUNT),
    ("n", "1_0", COUNT), ("n", "٣", COUNT), ("n", "9" * 5000, COUNT),
    ("temperature", "warm", AMOUNT), ("temperature", "nan", AMOUNT), ("temperature", "Infinity", AMOUNT),
    ("stream", "yes", "true or false"), ("stream", "", "true or false"),
])  # fmt: skip
def test_a_text_that_is_no_number_or_flag_where_one_is_needed_is_named(name, text, wanted):
    operation = IMAGE_EDITS if name == "n" else TRANSCRIPTIONS
    with pytest.raises(RequestError, match=f"The field '{name}' must be {wanted}, not '{text[:10]}") as caught:
        read((name, text), operation=operation)
    assert (caught.value.status, caught.value.param) == (400, name)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("parts", "found"), [
    ([("image", FILE)], {"image": FILE}),
    ([("image[]", FILE)], {"image": [FILE]}),
    ([("image", FILE), ("image", FILE)], {"image": [FILE, FILE]}),
    ([("image", FILE), ("image[]", FILE)], {"image": [FILE, FILE]}),
    ([("image[]", FILE), ("image", FILE), ("prompt", "p")], {"image": [FILE, FILE], "prompt": "p"}),
    ([("own[]", "a"), ("own[]", "b")], {"own": ["a", "b"]}),
])  # fmt: skip
def test_a_field_that_may_be_a_list_is_one_where_it_is_named_so_or_stands_more_than_once(parts, found):
    assert read(*parts, operation=IMAGE_EDITS) == found


def test_a_field_that_is_always_a_list_is_one():
    assert read(("include", "logprobs")) == {"include": ["logprobs"]}
    assert read(("include", "a"), ("include", "b")) == {"include": ["a", "b"]}


@pytest.mark.parametrize("names", [
    ("prompt", "prompt"), ("own", "own"), ("own[a]", "own[a]"), ("own", "own[a]"), ("own[a]", "own"),
    ("own[]", "own[a]"), ("own[a]", "own[a][b]"),
], ids=" ".join)  # fmt: skip
def test_what_cannot_stand_twice_is_named(names):
    with pytest.raises(RequestError, match="stands") as caught:
        read(*((name, "x") for name in names))
    assert caught.value.param == names[0].partition("[")[0]


def test_an_object_is_told_by_its_fields_whose_numbers_and_flags_are_guessed():
    found = read(
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.5"),
        ("chunking_strategy[prefix_padding_ms]", "300"),
        ("chunking_strategy[more][deep]", "true"),
        ("chunking_strategy[more][texts][]", "a"),
    )
    assert found == {
        "chunking_strategy": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "more": {"deep": True, "texts": ["a"]},
        }
    }


@pytest.mark.parametrize("name", ["a[", "a]b", "[]", "[a]", "a[][b]", "a[b]c", "a" + "[b]" * 10_000])
def test_a_name_that_tells_no_object_is_a_name(name):
    assert read((name, "x")) == {name: "x"}


def test_a_file_is_a_file_whatever_the_wire_has_there():
    assert read(("file", FILE), ("prompt", FILE), ("stream", FILE)) == {"file": FILE, "prompt": FILE, "stream": FILE}


def test_a_single_file_that_is_named_as_a_list_is_one_and_left_to_the_check():
    assert read(("image[]", FILE), operation=IMAGE_VARIATIONS) == {"image": [FILE]}


def test_an_empty_file_among_others_is_left_to_the_check():
    empty = Upload("cat.png", b"", "image/png")
    assert read(("image", FILE), ("image", empty), operation=IMAGE_EDITS) == {"image": [FILE, empty]}


@pytest.mark.anyio
@pytest.mark.parametrize("operation", [row for row in OPERATIONS if row.is_form], ids=lambda row: row.name)
async def test_what_a_provider_writes_as_a_form_is_read_as_the_same_request(operation):
    request = {**REQUESTS[operation], **{name: found[0] for name, found in values_of(operation).items()}}
    content, kind = encoded_form(request)

    async def pieces():
        yield content

    form = await MultiPartParser(Headers({"content-type": kind}), pieces()).parse()
    parts = [(name, await _part(value)) for name, value in form.multi_items()]
    await form.close()
    assert fields_of(parts, operation) == {name: value for name, value in request.items() if value is not None}


async def _part(value):
    return value if isinstance(value, str) else Upload(value.filename, await value.read(), value.content_type)
