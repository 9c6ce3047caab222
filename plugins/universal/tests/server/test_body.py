"""Bodies and routes that are wrong are answered in OpenAI's envelope."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving, wait_until

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("content", "says"), [
    (b"{", "The body is not JSON"),
    (b'{"model": "\\uD800"}', "half of a surrogate pair"),
    (b'{"model": "\xed\xa0\x80"}', "half of a surrogate pair"),
    ('{"model": "\\uD800"}'.encode("utf-16"), "half of a surrogate pair"),
    ('{"model": "\ud800"}'.encode("utf-32-be", "surrogatepass"), "half of a surrogate pair"),
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
    response = small.http.post("/v1/completions", content=b" " * 1001, headers=JSON)
    assert response.status_code == 413
    assert "1,000 bytes" in response.json()["error"]["message"]


def test_a_whole_surrogate_pair_is_a_character(shared):
    content = b'{"model": "echo/model", "messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}'
    response = shared.http.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.json()["choices"][0]["message"]["content"] == "😀"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_character_is_one_in_every_coding_of_json(shared, coding):
    text = "\ud7ff\ue000😀한"
    content = f'{{"model": "echo/model", "messages": [{{"role": "user", "content": "{text}"}}]}}'.encode(coding)
    response = shared.http.post("/v1/chat/completions", content=content, headers=JSON)
    assert response.json()["choices"][0]["message"]["content"] == text


def test_a_large_body_is_read(shared):
    assert shared.chat("x" * 1_000_000).json()["choices"][0]["message"]["content"] == "x" * 1_000_000


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("POST", "/v1/fine_tuning/jobs", 404), ("GET", "/v1/chat/completions", 405),
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
    response = own.http.get("/v1/models/mine", headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "mine"
    assert response.json()["error"]["message"] == ("The server failed.\nIts log says more, under this X-LF-Request-ID.")
    assert response.headers["x-should-retry"] == "false"


def test_health_is_answered_while_millions_of_token_ids_are_read(shared):
    """They are far too many, which is known only once they are read."""
    content = b'{"model": "echo/model", "input": [' + b"1," * 4_999_900 + b"1]}"
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(shared.http.post, "/v1/embeddings", content=content, headers=JSON)
        answered = 0
        while not asked.done():
            answered += shared.http.get("/health").is_success
    error = asked.result().json()["error"]
    assert error["message"].startswith("'input' holds 4,999,901 token ids; one request takes 1,000,000.")
    assert (error["code"], error["param"]) == ("too_many_tokens", "input")
    assert answered > 5


@pytest.mark.parametrize("route, field", [("embeddings", "input"), ("completions", "prompt")])
@pytest.mark.parametrize(
    ("value", "param"),
    [
        ([], ""), ("", ""), ([[]], "[0]"), ([""], "[0]"), ([1, -1], ""), ([1, True], ""), ([True], ""), ([1, "a"], ""),
        (["a", 1], "[1]"), ([[1], [2, 1.5]], "[1]"), ([[1], [2, None]], "[1]"), ([2**31], ""), ({}, ""), (1, ""),
        ([[1] * 1001] * 1000, ""),
    ],
)  # fmt: skip
def test_what_is_neither_text_nor_token_ids_is_named(shared, route, field, value, param):
    limit = 16 if route == "completions" else 2048
    response = shared.http.post(f"/v1/{route}", json={"model": "echo/model", field: value})
    assert response.status_code == 400
    if not isinstance(value, list) or len(value) <= limit:
        assert response.json()["error"]["param"] == field + param


@pytest.mark.parametrize("value", ["a", ["a", "b"], [1, 2, 2**31 - 1], [[1, 2], "a", [0]], [[1] * 1000] * 16])
def test_texts_and_token_ids_are_inputs(shared, value):
    response = shared.http.post("/v1/embeddings", json={"model": "echo/model", "input": value})
    several = isinstance(value, list) and not isinstance(value[0], int)
    assert len(response.json()["data"]) == (len(value) if several else 1)
