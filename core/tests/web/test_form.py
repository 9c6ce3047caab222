"""A body with files is a form, of a limited size and whole; what it is instead is said."""

from __future__ import annotations

import socket
from functools import partial

import httpx
import pytest
from llamafarm.web.answers import json_answer
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.form import read_form
from llamafarm.wire.upload import Upload
from starlette.routing import Route

BOUNDARY = "lf-boundary"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
SOUND = bytes(range(256)) * 8


@pytest.fixture
def echo(serve):
    """echo(…) starts a server that answers `POST /` with what it made of each part."""

    async def shown(_, parts):
        return json_answer([[name, _shown(value)] for name, value in parts])

    return lambda **options: serve(
        routes=(Route("/", BodyEndpoint(shown, partial(read_form, **{"limit": 2**22, **options})), methods=["POST"]),)
    )


def _shown(value):
    return [value.name, value.media_type, value.content.hex()] if isinstance(value, Upload) else value


def part(content: bytes, *, end: bool = True, **names: str) -> bytes:
    """A form of one part, written by hand."""
    told = "".join(f'; {name}="{value}"' for name, value in names.items())
    last = f"\r\n--{BOUNDARY}--\r\n".encode() if end else b""
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data{told}\r\n\r\n".encode() + content + last


def error(answer: httpx.Response) -> dict:
    return answer.json()["error"]


def test_texts_and_files_come_in_their_order_with_every_byte(echo):
    files = {"file": ("talk.wav", SOUND, "audio/wav")}
    assert echo().post("/", data={"model": "ü", "n": "2"}, files=files).json() == [
        ["model", "ü"],
        ["n", "2"],
        ["file", ["talk.wav", "audio/wav", SOUND.hex()]],
    ]


def test_a_name_may_stand_more_than_once_and_carry_brackets(echo):
    files = [("image[]", (f"{at}.png", b"x", "image/png")) for at in range(3)]
    found = echo().post("/", files=files).json()
    assert [(name, value[0]) for name, value in found] == [("image[]", f"{at}.png") for at in range(3)]


def test_a_file_that_is_larger_than_what_stays_in_memory_is_whole(echo):
    content = SOUND * 1024
    [[_, [_, _, found]]] = echo().post("/", files={"file": ("a.wav", content)}).json()
    assert found == content.hex()


def test_a_file_without_a_name_or_type_of_its_own_gets_a_plain_one(echo):
    found = echo().post("/", content=part(b"x", name="file", filename=""), headers=FORM).json()
    assert found == [["file", ["file", "application/octet-stream", b"x".hex()]]]


def test_a_part_without_a_file_name_is_a_text(echo):
    assert echo().post("/", content=part(b"tiny", name="model"), headers=FORM).json() == [["model", "tiny"]]


@pytest.mark.parametrize("kind", [None, "", "application/json", "application/x-www-form-urlencoded", "multipart/mixed"])
def test_only_a_form_with_files_is_read(echo, kind):
    answer = echo().post("/", content=b"{}", headers={} if kind is None else {"content-type": kind})
    assert answer.status_code == 415
    assert error(answer)["code"] == "unsupported_media_type"
    assert "multipart/form-data" in error(answer)["message"]


def test_a_compressed_form_is_refused(echo):
    assert echo().post("/", content=b"...", headers={**FORM, "content-encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize(
    ("content", "headers", "message"),
    [
        (part(b"x", name="a"), {"content-type": "multipart/form-data"}, "Missing boundary"),
        (b"hello", FORM, "not a form"),
        (b"", FORM, "breaks off"),
        (part(b"x"), FORM, 'field "name" must be provided'),
        (part(b"half a file", name="file", filename="a.wav", end=False), FORM, "last boundary is missing"),
        (part(b"half a text", name="prompt", end=False), FORM, "last boundary is missing"),
    ],
    ids=["no boundary", "no form", "empty", "no name", "half a file", "half a text"],
)
def test_what_is_not_a_whole_form_is_a_400_that_says_why(echo, content, headers, message):
    answer = echo().post("/", content=content, headers=headers)
    assert (answer.status_code, error(answer)["code"]) == (400, "invalid_form")
    assert message in error(answer)["message"]


@pytest.mark.parametrize("kind", ["files", "texts"])
def test_too_many_parts_are_refused(echo, kind):
    many = [("a", ("a", b"", "x/y") if kind == "files" else (None, b"")) for _ in range(1001)]
    answer = echo().post("/", files=many)
    assert (answer.status_code, error(answer)["code"]) == (400, "invalid_form")
    assert "Too many" in error(answer)["message"]


@pytest.mark.parametrize("names", [{"name": "file", "filename": "a.wav"}, {"name": "prompt"}], ids=["file", "text"])
@pytest.mark.parametrize("grows", [False, True], ids=["says so", "grows"])
def test_a_form_that_is_too_large_is_a_413_that_says_how_to_change_that(echo, grows, names):
    content = part(b"x" * 2000, **names)
    sent = iter([content[at : at + 100] for at in range(0, len(content), 100)]) if grows else content
    answer = echo(limit=1000, limit_hint="ACME_LIMIT sets the limit.").post("/", content=sent, headers=FORM)
    assert (answer.status_code, error(answer)["code"]) == (413, "request_too_large")
    assert error(answer)["message"] == "The body is larger than 1,000 bytes.\nACME_LIMIT sets the limit."


def test_a_form_of_exactly_the_limit_is_read(echo):
    content = part(b"x" * 500, name="prompt")
    assert echo(limit=len(content)).post("/", content=content, headers=FORM).status_code == 200


def test_a_form_that_is_too_large_is_refused_before_it_has_come(echo):
    client = echo(limit=1000)
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=20) as peer:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\nContent-Length: 2000\r\n"
        peer.sendall(head.encode() + b"\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_leaves_while_it_sends_a_file_is_no_error(echo, until, caplog):
    client = echo()
    begun = part(b"x" * 100, name="file", filename="a.wav", end=False)
    with (
        caplog.at_level("INFO", logger="llamafarm"),
        socket.create_connection((client.base_url.host, client.base_url.port)) as gone,
    ):
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\nContent-Length: 2000\r\n"
        gone.sendall(head.encode() + b"\r\n" + begun)
        gone.close()
        until(lambda: caplog.records)
    [record] = caplog.records
    assert (record.levelname, record.args[2]) == ("INFO", "-")
