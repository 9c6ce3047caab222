"""A client that goes away frees its place in the host at once."""

from __future__ import annotations

import http.client
import json
from dataclasses import replace

import pytest
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving, wait_until


def log(server):
    return json.loads(server.chat("<log>").json()["choices"][0]["message"]["content"])


def ask(server, body):
    """Send a request and return its connection, without waiting for the answer."""
    address = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    return connection


def body(text, model="echo/model", **fields):
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def cancelled(server):
    return [entry["request_id"] for entry in log(server) if entry["command"] == "Cancel"]


def started(server):
    return [entry["request_id"] for entry in log(server) if entry["command"] == "Generate"]


@pytest.mark.parametrize(
    "request_body",
    [
        pytest.param(body("Hel|<hang>", stream=True), id="in the middle of a stream"),
        pytest.param(body("Hel|<hang>"), id="in the middle of an answer that does not stream"),
        pytest.param(body("a", model="never/accepts"), id="before the answer is accepted"),
        pytest.param(body("a", model="never/accepts", stream=True), id="before a stream is accepted"),
    ],
)
def test_a_client_that_goes_away_cancels_its_request(own, request_body):
    connection = ask(own, request_body)
    wait_until(lambda: len(started(own)) == 2, "the host has the request")  # the other one asks for the log
    if request_body.get("stream") and request_body["model"] == "echo/model":
        connection.getresponse().fp.readline()
    connection.close()
    wait_until(lambda: len(cancelled(own)) == 1, "the request is cancelled")
    assert cancelled(own)[0] == started(own)[0]


def test_what_has_ended_is_not_cancelled(own):
    own.chat("a")
    own.chat("a", stream=True)
    own.http.post("/v1/embeddings", json={"model": "echo/model", "input": "a"})
    assert cancelled(own) == []


def test_a_silent_stream_is_kept_alive_by_comments():
    with serving(replace(Settings(), keep_alive_seconds=0.05)) as server:
        connection = ask(server, body("Hel|<hang>", stream=True))
        response = connection.getresponse()
        lines = iter(response.fp.readline, b"")
        assert any(line == b": keep-alive\n" for line in lines)
        response.close()
        connection.close()


def test_too_many_requests_are_told_to_come_back():
    with serving(replace(Settings(), max_requests=2)) as server:
        first, second = (ask(server, body("<hang>")) for _ in range(2))
        wait_until(lambda: server.chat("a").status_code == 429, "both are under way")
        refused = server.chat("a")
        assert refused.headers["retry-after"] == "2"
        assert refused.json()["error"]["type"] == "rate_limit_error"
        first.close()
        wait_until(lambda: server.chat("a").status_code == 200, "the place is free again")
        second.close()
