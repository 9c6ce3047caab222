"""An event stream shows that it lives, ends clearly, and is closed whatever happens."""

from __future__ import annotations

import asyncio
import json
import threading
from functools import partial

import httpx
import pytest
from llamafarm.errors import UpstreamError
from llamafarm.web.body import read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.stream import EventStream
from llamafarm.wire import sse
from llamafarm.wire.envelope import error_envelope
from starlette.routing import Route

BOUND = 20.0


class Talk:
    """A stream to serve: texts, seconds of silence, waiting for `go_on`, and errors."""

    def __init__(self, *steps, keep_alive: float = 60, **options) -> None:
        self.steps = steps
        self.options = {"keep_alive": keep_alive, **options}
        self.go_on = threading.Event()
        self.closed = False
        self.ended = False

    async def frames(self):
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if step is Ellipsis:
                    while not self.go_on.is_set():  # noqa: ASYNC110 - set in another thread
                        await asyncio.sleep(0.002)
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.ended = True

    def close(self):
        self.closed = True

    async def aclose(self):
        await asyncio.sleep(0)
        self.closed = True

    @property
    def route(self) -> Route:
        async def answer(request, body):
            close = self.aclose if body.get("async") else self.close
            return EventStream(self.frames(), close=close, **self.options)

        return Route("/", BodyEndpoint(answer, partial(read_object, limit=1000)), methods=["POST"])


def event(text: str) -> bytes:
    return sse.encode({"text": text})


@pytest.mark.parametrize("body", [{}, {"async": True}])
def test_the_frames_pass_unchanged_and_the_stream_is_closed(serve, until, body):
    talk = Talk(event("a"), event("b"), sse.DONE, headers={"X-Acme": "1"})
    answer = serve(routes=(talk.route,)).post("/", json=body)
    assert answer.content == event("a") + event("b") + sse.DONE
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-acme"] == "1"
    assert "content-length" not in answer.headers
    until(lambda: talk.closed and talk.ended)


def test_an_error_in_the_middle_is_one_event_and_the_end(serve, until):
    talk = Talk(event("a"), UpstreamError("out of memory"), event("b"))
    answer = serve(routes=(talk.route,)).post("/", json={})
    first, last, end = answer.content.split(b"\n\n")
    assert (answer.status_code, end) == (200, b"")
    assert first + b"\n\n" == event("a")
    assert json.loads(last.removeprefix(b"data: "))["error"]["message"] == "out of memory"
    until(lambda: talk.closed)


def test_an_error_in_the_middle_of_a_frame_is_still_an_event_of_its_own(serve):
    talk = Talk(b"data: cut", UpstreamError("out of memory"))
    frames = serve(routes=(talk.route,)).post("/", json={}).content.split(b"\n\n")
    assert frames[0] == b"data: cut"
    assert json.loads(frames[1].removeprefix(b"data: "))["error"]["message"] == "out of memory"


def test_an_error_may_be_written_otherwise(serve):
    talk = Talk(UpstreamError("x"), error_frame=lambda error: sse.encode(error_envelope(error), event="error"))
    assert serve(routes=(talk.route,)).post("/", json={}).content.startswith(b"event: error\ndata: ")


def test_a_crash_in_the_middle_says_nothing_of_its_inside(serve, caplog):
    talk = Talk(event("a"), ZeroDivisionError("inside"))
    text = serve(routes=(talk.route,)).post("/", json={}).text
    assert "The server failed in the middle of the answer." in text
    assert "inside" not in text
    assert "ZeroDivisionError: inside" in caplog.text


@pytest.mark.parametrize("before", [(), (event("a"),)])
def test_silence_is_filled_with_comments_also_before_the_first_frame(serve, before):
    talk = Talk(*before, ..., event("b"), keep_alive=0.02)
    client = serve(routes=(talk.route,))
    with client.stream("POST", "/", json={}) as answer:
        lines = answer.iter_lines()
        for _ in range(2 * len(before)):
            next(lines)
        assert [next(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]
        talk.go_on.set()
        assert [line for line in lines if line and not line.startswith(":")] == [event("b").decode().strip()]


def test_comments_never_cut_a_frame_in_two(serve):
    talk = Talk(*(b'data: {"te', 0.005, b'xt":1}\n', 0.005, b"\n", 0.005) * 5, keep_alive=0.001)
    frames = serve(routes=(talk.route,)).post("/", json={}).content.split(b"\n\n")
    assert [frame for frame in frames if frame and not frame.startswith(b":")] == [b'data: {"text":1}'] * 5
    assert b": keep-alive" in frames


def test_a_client_that_goes_away_closes_the_stream(serve, until):
    talk = Talk(event("a"), ...)
    client = serve(routes=(talk.route,))
    with client.stream("POST", "/", json={}) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert not talk.closed
    until(lambda: talk.closed and talk.ended)


def test_a_stream_that_runs_when_the_server_stops_may_end(serve):
    talk = Talk(event("a"), ..., event("b"))
    client = serve(routes=(talk.route,))
    with client.stream("POST", "/", json={}) as answer:
        lines = answer.iter_lines()
        next(lines)
        client.server.should_exit = True
        talk.go_on.set()
        assert event("b").decode().strip() in list(lines)


def test_a_stream_that_does_not_end_in_time_is_told_that_the_server_stops(serve, until, caplog):
    talk = Talk(event("a"), ...)
    client = serve(routes=(talk.route,), grace=1)
    with client.stream("POST", "/", json={}) as answer:
        lines = answer.iter_lines()
        next(lines)
        client.server.should_exit = True
        (last,) = [line for line in lines if line]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "server_stopping"
    until(lambda: talk.closed and talk.ended)
    assert "Traceback" not in caplog.text


def test_an_answer_that_is_not_ready_in_time_is_a_503(serve):
    begun = threading.Event()

    async def answer(request, body):
        begun.set()
        await asyncio.Event().wait()

    client = serve(
        routes=(Route("/", BodyEndpoint(answer, partial(read_object, limit=1000)), methods=["POST"]),), grace=1
    )
    found: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: found.append(client.post("/", json={})))
    asking.start()
    assert begun.wait(BOUND)
    client.server.should_exit = True
    asking.join(BOUND)
    assert (found[0].status_code, found[0].json()["error"]["code"]) == (503, "server_stopping")
