"""Bodies and routes that are wrong are answered in OpenAI's envelope."""

from __future__ import annotations

import logging
import socket

import pytest
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving, wait_until

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("content", "says"), [
    (b"{", "The body is not JSON"),
    (b'{"model": "\\uD800"}', "half of a surrogate pair"),
])  # fmt: skip
def test_a_body_that_cannot_be_read_says_why(shared, content, says):
    response = shared.http.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]
    assert response.json()["error"]["code"] == "invalid_json"


@pytest.fixture(scope="module")
def small():
    with serving(Settings(max_body_bytes=1000)) as server:
        yield server


def test_a_body_that_says_it_is_too_large_is_not_read(small):
    response = small.http.post("/v1/chat/completions", content=b" " * 1001, headers=JSON)
    assert response.status_code == 413
    assert "1,000 bytes" in response.json()["error"]["message"]


def test_a_whole_surrogate_pair_is_a_character(shared):
    content = b'{"model": "echo/model", "messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}'
    response = shared.http.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.json()["choices"][0]["message"]["content"] == "😀"


def test_a_large_body_is_read(shared):
    assert shared.chat("x" * 1_000_000).json()["choices"][0]["message"]["content"] == "x" * 1_000_000


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("POST", "/v1/images/generations", 404), ("GET", "/v1/chat/completions", 405),
    ("DELETE", "/v1/models", 405), ("GET", "/v1/chat/completions/", 404),
])  # fmt: skip
def test_an_unknown_route_is_an_error_like_any_other(shared, method, path, status):
    response = shared.http.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["code"] in ("not_found", "method_not_allowed")
    assert ("allow" in response.headers) == (status == 405)


def test_a_client_that_leaves_while_it_sends_is_no_error(shared, caplog):
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        wait_until(lambda: shared.runtime.activity.idle_seconds == 0.0, "the request has begun")
    wait_until(lambda: shared.runtime.activity.idle_seconds > 0.0, "the request has ended")
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_crash_is_an_error_like_any_other_and_says_nothing_of_its_inside(own):
    own.runtime.handles = None
    response = own.http.get("/v1/models", headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "mine"
    assert response.json()["error"]["message"] == ("The server failed.\nIts log says more, under this X-LF-Request-ID.")
    assert response.headers["x-should-retry"] == "false"
