"""Requests sent byte for byte, and what is wrong with the answers to malformed ones."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

BOUND = 60.0
JSON = (("Content-Type", "application/json"),)
ENVELOPE = {"message", "type", "param", "code"}
INNER = re.compile(
    r"Traceback|site-packages|\bat 0x|NoneType|<class|(?<!')\b[A-Z]\w+(Error|Exception)\b|torch\.|\.py\b"
)
"""What tells of our code rather than of the request."""


@dataclass(frozen=True)
class Case:
    """name: what is wrong with it. content: all that is sent.

    leaves: the client closes its side afterwards, and may get no answer. is_http: otherwise, no more than a bare 400
    is asked for.
    """

    name: str
    content: bytes
    leaves: bool = False
    is_http: bool = True


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: bytes


def request(
    path: str,
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = JSON,
    *,
    method: str = "POST",
    length: int | str | None = None,
) -> bytes:
    """The bytes of a request. length: what it says of its body, if not the truth."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is None and body:
        length = len(body)
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def exchange(url: str, case: Case) -> Answer | None:
    """What a server answers; None where it closes the connection without a word. Raises TimeoutError."""
    place = urlsplit(url)
    assert place.port is not None
    with socket.create_connection((place.hostname, place.port), timeout=BOUND) as connection:
        try:
            connection.sendall(case.content)
            if case.leaves:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered before it has read everything
        answer = HTTPResponse(connection, method=case.content.partition(b" ")[0].decode("latin-1"))
        try:
            answer.begin()
            return Answer(answer.status, answer.getheader("content-type", ""), answer.read())
        except (HTTPException, ConnectionResetError):
            return None


def flaw(case: Case, answer: Answer | None) -> str | None:
    """What is wrong with an answer; None: nothing."""
    if answer is None:
        return None if case.leaves or not case.is_http else "no answer"
    if answer.status == 400 and not case.is_http and answer.kind.startswith("text/plain"):
        return None
    if answer.status >= 500:
        return f"{answer.status}: {answer.body.decode()}"
    if answer.status >= 400:
        if not answer.kind.startswith("application/json"):
            return f"{answer.status} is no JSON: {answer.body[:100]!r}"
        return _flaw_of_error(json.loads(answer.body)) if answer.body else None
    if answer.kind.startswith("text/event-stream"):
        return _flaw_of_stream(answer.body.decode())
    return None


def _flaw_of_error(answer: dict[str, Any]) -> str | None:
    error = answer["error"]
    message = error["message"]
    if set(error) != ENVELOPE or not isinstance(error["type"], str):
        return f"no envelope: {answer}"
    if not 10 <= len(message) <= 1000 or not message.endswith((".", "?")):
        return f"a person cannot use this: {error}"
    if inner := INNER.search(message):
        return f"tells of our code, {inner[0]!r}: {message}"
    return None


def _flaw_of_stream(text: str) -> str | None:
    """A stream ends with [DONE], with what it was asked for, or with an error that a person can use."""
    name, _, data = text.rstrip().split("\n\n")[-1].rpartition("data: ")
    if data == "[DONE]" or name.strip() in ("event: loaded", "event: pulled"):
        return None
    answer = json.loads(data)
    if "error" not in answer:
        return f"the stream has no end: {data}"
    return f"failed: {answer}" if answer["error"]["code"] == "internal_error" else _flaw_of_error(answer)
