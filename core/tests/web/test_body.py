"""A body is JSON, of a limited size, and an object; what it is instead is said."""

from __future__ import annotations

import socket
import threading
from functools import partial

import httpx
import pytest
from llamafarm.web.answers import json_answer
from llamafarm.web.body import PARSE_IN_THREAD_BYTES, read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.wire.body import BodyError, parse_object
from starlette.routing import Route

JSON = {"content-type": "application/json"}


@pytest.fixture
def echo(serve):
    """echo(…) starts a server that answers `POST /` with the keys of the body."""

    async def keys(_, body):
        return json_answer(sorted(body))

    return lambda **options: serve(
        routes=(Route("/", BodyEndpoint(keys, partial(read_object, **{"limit": 2**20, **options})), methods=["POST"]),)
    )


def error(answer: httpx.Response) -> dict:
    return answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is empty."),
        (b"hello", "The body is not JSON"),
        (b"{", "The body is not JSON"),
        (b'{"messages": [}', "line 1, column 15"),
        (b"[1, 2]", "must be a JSON object, not a list"),
        (b"[]", "must be a JSON object, not a list"),
        (b'"text"', "must be a JSON object, not a string"),
        (b"null", "must be a JSON object, not null"),
        (b'{"messages": [], "messages": []}', "The key 'messages' stands twice"),
        (b'{"temperature": NaN}', "NaN is not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
    ],
)
def test_a_text_that_is_not_a_json_object_is_a_400_that_says_why(echo, content, message):
    answer = echo().post("/", content=content, headers=JSON)
    assert answer.status_code == 400
    assert message in error(answer)["message"]
    assert error(answer)["code"] == "invalid_json"


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_only_application_json_is_read(echo, kind):
    answer = echo().post("/", content=b"{}", headers={} if kind is None else {"content-type": kind})
    assert answer.status_code == 415
    assert error(answer)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("header", ["content-type", "content-encoding"])
def test_a_long_type_is_repeated_in_part(echo, header):
    answer = echo().post("/", content=b"{}", headers={**JSON, header: "x" * 5000})
    assert answer.status_code == 415
    assert len(error(answer)["message"]) < 250


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON ; charset=utf-8"])
def test_a_charset_may_follow_the_content_type(echo, kind):
    assert echo().post("/", content=b"{}", headers={"content-type": kind}).status_code == 200


def test_a_compressed_body_is_refused(echo):
    assert echo().post("/", content=b"...", headers={**JSON, "content-encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize("content", [b"x" * 1001, [b"x" * 100] * 20], ids=["says so", "grows"])
def test_a_body_that_is_too_large_is_a_413_that_says_how_to_change_that(echo, content):
    client = echo(limit=1000, limit_hint="ACME_LIMIT sets the limit.")
    answer = client.post("/", content=content if isinstance(content, bytes) else iter(content), headers=JSON)
    assert answer.status_code == 413
    assert error(answer)["message"] == "The body is larger than 1,000 bytes.\nACME_LIMIT sets the limit."
    assert error(answer)["code"] == "request_too_large"


def test_a_body_of_exactly_the_limit_is_read(echo):
    assert echo(limit=2).post("/", content=b"{}", headers=JSON).json() == []


def test_a_large_body_is_parsed_beside_the_event_loop(echo):
    threads = []

    def parse(text):
        threads.append(threading.current_thread())
        return parse_object(text)

    client = echo(parse=parse)
    small, large = b"{}", b'{"a": "%s"}' % (b"x" * PARSE_IN_THREAD_BYTES)
    assert client.post("/", content=small, headers=JSON).json() == []
    assert client.post("/", content=large, headers=JSON).json() == ["a"]
    assert threads[0] is not threads[1]


def test_a_server_may_read_more_strictly(echo):
    def parse(text):
        raise BodyError("Not today.")

    answer = echo(parse=parse).post("/", content=b"{}", headers=JSON)
    assert (answer.status_code, error(answer)["message"]) == (400, "Not today.")


def test_a_client_that_leaves_while_it_sends_is_no_error(echo, until, caplog):
    client = echo()
    with (
        caplog.at_level("INFO", logger="llamafarm"),
        socket.create_connection((client.base_url.host, client.base_url.port)) as gone,
    ):
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        gone.sendall(head)
        assert client.post("/", content=b"{}", headers=JSON).status_code == 200
        gone.close()
        until(lambda: len(caplog.records) == 2)
    assert {record.args[2] for record in caplog.records} == {200, "-"}
    assert {record.levelname for record in caplog.records} == {"INFO"}
