"""A client that neither sends nor reads is closed; one that is only slow is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from llamafarm.web.body import read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.stalled import Stalled
from llamafarm.web.stream import EventStream
from starlette.routing import Route

BOUND = 20.0
HEAD = b"POST /flood HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
FLOOD = b"data: " + b"x" * 100_000 + b"\n\n"


class Flood:
    """A stream of more than any buffer holds. held: while somebody is being answered."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.freed = threading.Event()

    async def frames(self):
        self.held.set()
        for _ in range(1000):
            yield FLOOD

    def close(self) -> None:
        self.freed.set()

    @property
    def route(self) -> Route:
        async def answer(_request, _body):
            return EventStream(self.frames(), close=self.close, keep_alive=60)

        return Route("/flood", BodyEndpoint(answer, partial(read_object, limit=1000)), methods=["POST"])


@contextmanager
def connected(client) -> Iterator[socket.socket]:
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=BOUND) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        yield connection


def ends(connection: socket.socket) -> bool:
    """Whether the server closes the connection, and sends nothing before."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET /whoami HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
def test_a_client_that_does_not_send_its_head_is_closed(serve, sent):
    with connected(serve(stalled=Stalled(head=0.1))) as connection:
        connection.sendall(sent)
        assert ends(connection)


def test_half_a_head_after_an_answer_is_closed_too(serve):
    with connected(serve(stalled=Stalled(head=0.1))) as connection:
        connection.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        connection.sendall(b"GET /who")
        assert ends(connection)


def test_a_client_that_does_not_read_its_answer_is_closed_and_what_it_held_is_free(serve):
    flood = Flood()
    with connected(serve(stalled=Stalled(read=0.1), routes=(flood.route,))) as connection:
        connection.sendall(HEAD + b"{}")
        assert flood.held.wait(BOUND)
        assert flood.freed.wait(BOUND)


def test_a_client_that_waits_between_two_requests_is_left_alone(serve):
    with connected(serve(stalled=Stalled(head=0.0))) as connection:
        connection.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.settimeout(2.5)  # more than two looks
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_body_that_stops_coming_is_a_408(serve, monkeypatch):
    monkeypatch.setattr("llamafarm.web.body.PIECE_SECONDS", 0.1)
    with connected(serve(routes=(Flood().route,))) as connection:
        connection.sendall(HEAD + b"{")
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"request_timeout" in answer
