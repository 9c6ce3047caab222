"""A form as it leaves for a runtime: read back by another library, it is what was given."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

import pytest
from llamafarm.http.form import encoded_form
from llamafarm.http.upstream import HttpUpstream
from llamafarm.providers.base import Call, Endpoint
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire.upload import Upload
from llamafarm_kit.testing.upstream import ScriptedUpstream, answering

SOUND = Upload("talk.wav", bytes(range(256)) * 4, "audio/wav")


def parts(fields) -> list[tuple[str, bytes]]:
    """The parts of the form: each with its name and its content."""
    return [(name, content) for name, content, _ in read(*encoded_form(fields))]


def read(content: bytes, kind: str):
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content)
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        yield name, part.get_payload(decode=True), part


def test_a_file_keeps_its_name_its_type_and_every_byte():
    [(name, content, part)] = read(*encoded_form({"file": SOUND}))
    assert (name, content) == ("file", SOUND.content)
    assert (part.get_filename(), part.get_content_type()) == ("talk.wav", "audio/wav")


def test_a_name_cannot_break_out_of_its_header():
    odd = Upload('a"; name="model\r\nX-Odd: 1\r\n\r\n.wav', b"x", "audio/wav")
    [(name, content, part)] = read(*encoded_form({"file": odd}))
    assert (name, content) == ("file", b"x")
    assert "x-odd" not in part


@pytest.mark.parametrize(("value", "written"), [
    ("a text", b"a text"), ("", b""), ("ü\n", "ü\n".encode()),
    (2, b"2"), (0, b"0"), (0.5, b"0.5"), (True, b"true"), (False, b"false"),
])  # fmt: skip
def test_texts_numbers_and_flags_are_written_as_json_has_them(value, written):
    assert parts({"field": value}) == [("field", written)]


def test_a_null_is_left_out_since_a_form_has_none():
    assert parts({"prompt": None, "model": "m"}) == [("model", b"m")]


def test_a_list_is_one_part_for_each_item():
    assert parts({"include": ["a", "b"]}) == [("include[]", b"a"), ("include[]", b"b")]
    assert parts({"image": [SOUND, SOUND]}) == [("image[]", SOUND.content)] * 2


def test_an_object_is_one_part_for_each_field_however_deep():
    strategy = {"type": "server_vad", "threshold": 0.5, "more": {"deep": True, "nothing": None}}
    assert parts({"chunking_strategy": strategy}) == [
        ("chunking_strategy[type]", b"server_vad"),
        ("chunking_strategy[threshold]", b"0.5"),
        ("chunking_strategy[more][deep]", b"true"),
    ]


@pytest.mark.anyio
async def test_a_request_may_travel_as_a_form_with_its_boundary_told():
    entry = ModelEntry(name="m", provider="p", model="m")
    async with ScriptedUpstream(answering({"text": "Hello."})) as upstream:
        http = HttpUpstream(Endpoint("acme", upstream.base_url))
        body = {"file": SOUND, "model": "m"}
        async with await http.open_stream("/x", body, Call(entry, "req-1"), stream=False, form=True) as answer:
            assert await answer.json() == {"text": "Hello."}
        await http.aclose()
        [asked] = upstream.requests
    found = read(asked.content, asked.headers["content-type"])
    assert [(name, content) for name, content, _ in found] == [("file", SOUND.content), ("model", b"m")]
