"""Bytes pass as they are; whatever ends them, the source is closed, and half an answer is never a whole one."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import httpx
import pytest
from llamafarm.errors import UpstreamError
from llamafarm.web.body import read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.passing import PassingAnswer
from starlette.routing import Route

SOUND = bytes(range(256)) * 40


class Source:
    """An answer to serve: pieces, an ellipsis to wait for `go_on`, and errors. closed: how often it was closed."""

    def __init__(self, *steps, media_type: str = "audio/mpeg", **headers: str) -> None:
        self.steps = steps
        self.media_type = media_type
        self.headers = headers
        self.go_on = threading.Event()
        self.closed = 0
        self.ended = False

    async def pieces(self):
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if step is Ellipsis:
                    while not self.go_on.is_set():  # noqa: ASYNC110 - set in another thread
                        await asyncio.sleep(0.002)
                else:
                    yield step
        finally:
            self.ended = True

    async def aclose(self):
        self.closed += 1

    @property
    def route(self) -> Route:
        async def answer(_request, _body):
            return PassingAnswer(self.pieces(), self.media_type, close=self.aclose, headers=self.headers)

        return Route("/", BodyEndpoint(answer, partial(read_object, limit=1000)), methods=["POST"])


def test_bytes_media_type_and_headers_are_passed_on_and_the_source_is_closed(serve, until):
    source = Source(SOUND, b"", SOUND, media_type="audio/mpeg; rate=24000", **{"X-Acme": "1"})
    answer = serve(routes=(source.route,)).post("/", json={})
    assert answer.content == SOUND + SOUND
    assert answer.headers["content-type"] == "audio/mpeg; rate=24000"
    assert answer.headers["x-acme"] == "1"
    assert "content-length" not in answer.headers
    until(lambda: source.closed == 1 and source.ended)


@pytest.mark.parametrize("steps", [(), (b"",)], ids=["nothing", "an empty piece"])
def test_an_answer_may_be_empty(serve, steps):
    answer = serve(routes=(Source(*steps).route,)).post("/", json={})
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_piece_is_passed_on_before_the_next_one_is_there(serve):
    source = Source(b"first", ..., b"second")
    with serve(routes=(source.route,)).stream("POST", "/", json={}) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        source.go_on.set()
        assert b"".join(pieces) == b"second"


def test_what_fails_before_the_first_byte_is_a_status(serve, until):
    source = Source(UpstreamError("no voice"))
    answer = serve(routes=(source.route,)).post("/", json={})
    assert (answer.status_code, answer.json()["error"]["message"]) == (502, "no voice")
    until(lambda: source.closed == 1)


@pytest.mark.parametrize(
    ("broken", "said"),
    [(UpstreamError("out of memory"), "out of memory"), (ZeroDivisionError("inside"), "An answer failed.")],
    ids=["at the runtime", "in the code"],
)
def test_what_breaks_off_reaches_the_client_as_broken_off(serve, until, caplog, broken, said):
    source = Source(SOUND, broken)
    client = serve(routes=(source.route,))
    with client.stream("POST", "/", json={}) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            answer.read()
    until(lambda: source.closed == 1 and source.ended)
    assert said in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(broken, ZeroDivisionError)
    assert client.get("/whoami").status_code == 200


def test_a_client_that_goes_away_closes_the_source(serve, until):
    source = Source(b"first", ...)
    with serve(routes=(source.route,)).stream("POST", "/", json={}) as answer:
        pieces = answer.iter_raw()  # kept: an iterator that nobody holds closes the connection
        assert next(pieces) == b"first"
        assert source.closed == 0
    until(lambda: source.closed == 1 and source.ended)


def test_an_answer_that_runs_when_the_server_stops_may_end(serve):
    source = Source(b"first", ..., b"second")
    client = serve(routes=(source.route,))
    with client.stream("POST", "/", json={}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        client.server.should_exit = True
        source.go_on.set()
        assert b"".join(pieces) == b"second"


def test_an_answer_that_does_not_end_in_time_is_broken_off(serve, until, caplog):
    source = Source(b"first", ...)
    client = serve(routes=(source.route,), grace=1)
    with client.stream("POST", "/", json={}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        client.server.should_exit = True
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            list(pieces)
    until(lambda: source.closed == 1 and source.ended)
    assert "Traceback" not in caplog.text
