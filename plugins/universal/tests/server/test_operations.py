"""POST /v1/operations/{operation}: what an engine has declared, as JSON, as bytes, and as events."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from llamafarm.wire import sse
from llamafarm_universal import catalogue
from llamafarm_universal.host.engines.encode.spec import ENGINE
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.media.settings import MediaSettings
from llamafarm_universal.server.settings import Settings
from runtime_servers import Running, serving, wait_until
from scripted_host import LARGE, Draw

DRAWS = replace(ENGINE, name="pen", works={"draw": Draw.of})


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with an engine that has declared an operation."""
    spool = tmp_path_factory.mktemp("spool")
    known = catalogue.installed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "installed", lambda: (*known, DRAWS))
        with serving(Settings(options=HostOptions(media=MediaSettings(spool=spool)))) as running:
            yield running


def draw(server: Running, what: str = "record", *, model: str = "echo/model", **fields: Any) -> httpx.Response:
    given = {name: fields.pop(name) for name in ("n",) if name in fields}
    body = {"model": model, "input": {"what": what, **given}, **fields}
    return server.http.post("/v1/operations/draw", json=body)


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    parsed = [sse.parse(frame) for frame in answer.content.split(b"\n\n")]
    return [(event.name, json.loads(event.data)) for event in parsed if event and event.data]


def spooled(server: Running) -> list[str]:
    """What lies in the spool; a folder may go while it is looked at."""
    return [name for _, folders, files in os.walk(server.runtime.spool.path) for name in (*folders, *files)]


def test_an_answer_is_its_value_with_its_text(drawing: Running) -> None:
    answer = draw(drawing)
    assert answer.status_code == 200, answer.text
    value = {"ink": 0.5, "lines": ["a", "é"], "raw": base64.b64encode(b"\0\1").decode()}
    assert answer.json() == {
        "model": "echo/model",
        "answers": [{"index": 0, "reason": "stop", "value": value, "text": "line 0"}],
    }


def test_several_answers_stand_in_their_order_and_what_has_no_value_has_none(drawing: Running) -> None:
    answers = draw(drawing, "nothing", n=3).json()["answers"]
    assert answers == [{"index": index, "reason": "stop", "text": f"line {index}"} for index in range(3)]


@pytest.mark.parametrize(("what", "content"), [("small", b"abc"), ("large", LARGE)])
def test_a_blob_is_its_bytes_with_its_media_type(drawing: Running, what: str, content: bytes) -> None:
    answer = draw(drawing, what)
    assert (answer.headers["content-type"], answer.content) == (f"image/x-{what}", content)


def test_a_blob_among_several_answers_is_base64(drawing: Running) -> None:
    [first, _] = draw(drawing, "small", n=2).json()["answers"]
    assert first["value"] == {"media_type": "image/x-small", "size": 3, "data": "YWJj"}


@pytest.mark.parametrize("stream", [False, True])
def test_large_results_are_gone_when_the_answer_has_left(drawing: Running, stream: bool) -> None:
    assert draw(drawing, "large", stream=stream).status_code == 200
    wait_until(lambda: spooled(drawing) == [], "the spool is empty")


def test_a_stream_tells_the_progress_and_the_end_of_each_answer(drawing: Running) -> None:
    answer = draw(drawing, "small", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events(answer) == [
        ("progress", {"index": 0, "done": 1, "total": 2}),
        ("piece", {"index": 0, "text": "line 0", "channel": "text"}),
        ("progress", {"index": 0, "done": 2, "total": 2}),
        (
            "finished",
            {
                "index": 0,
                "reason": "stop",
                "value": {"media_type": "image/x-small", "size": 3, "data": "YWJj"},
            },
        ),
    ]
    names = [name for name, _ in events(draw(drawing, "record", n=2, stream=True))]
    assert names == ["progress", "piece", "progress", "finished"] * 2


def test_a_failure_is_a_status_or_the_last_event_of_a_stream(drawing: Running) -> None:
    whole = draw(drawing, "<fail>")
    assert (whole.status_code, whole.json()["error"]["code"]) == (503, "out_of_memory")
    *_, (name, last) = events(draw(drawing, "<fail>", stream=True))
    assert (name, last["error"]["message"]) == ("error", "No ink is left.")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_at_once_is_a_status(drawing: Running, stream: bool) -> None:
    answer = draw(drawing, model="refuse/context_length", stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_the_engine_reads_the_fields_and_says_what_is_wrong(drawing: Running) -> None:
    answer = drawing.http.post("/v1/operations/draw", json={"model": "echo/model", "input": {}})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input.what")
    assert "Say what to draw." in error["message"]


def test_a_reading_that_fails_is_an_error_of_the_server_which_goes_on(
    drawing: Running, caplog: pytest.LogCaptureFixture
) -> None:
    answer = draw(drawing, "<trip>")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "ZeroDivisionError" in answer.json()["error"]["message"]
    assert "Traceback" in caplog.text
    assert draw(drawing).status_code == 200


def test_a_value_that_json_cannot_say_is_an_error(drawing: Running, caplog: pytest.LogCaptureFixture) -> None:
    assert draw(drawing, "unsayable").status_code == 500
    *_, (name, _) = events(draw(drawing, "unsayable", stream=True))
    assert name == "error"


def test_an_unknown_operation_is_refused_with_those_that_there_are(drawing: Running, shared: Running) -> None:
    body = {"model": "echo/model", "input": {}}
    answer = drawing.http.post("/v1/operations/sing", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "operation_not_supported")
    assert "`sing`" in error["message"]
    assert "`draw`" in error["message"]


def test_an_operation_that_two_engines_have_declared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(DRAWS, name="brush", works={"draw": Draw})
    monkeypatch.setattr(catalogue, "installed", lambda: (DRAWS, other))
    with pytest.raises(Exception, match="`pen` and `brush` have both declared"):
        catalogue.work_of("draw", {})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": {}}, "model"),
        ({"model": "echo/model"}, "input"),
        ({"model": "echo/model", "input": []}, "input"),
        ({"model": "echo/model", "input": {}, "stream": "yes"}, "stream"),
        ({"model": "echo/model", "input": {}, "n": 1}, "n"),
    ],
)
def test_what_stands_around_the_input_is_checked(drawing: Running, body: dict[str, Any], param: str) -> None:
    answer = drawing.http.post("/v1/operations/draw", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_client_that_goes_away_ends_the_work(drawing: Running) -> None:
    with drawing.http.stream(
        "POST",
        "/v1/operations/draw",
        json={"model": "echo/model", "input": {"what": "<hang>"}, "stream": True},
    ) as answer:
        pieces = answer.iter_raw()  # kept: it closes the connection where it is dropped
        assert b"event: progress" in next(pieces)
        assert len(list(drawing.runtime.queue)) == 1
    wait_until(lambda: list(drawing.runtime.queue) == [], "the slot is free")
    wait_until(lambda: spooled(drawing) == [], "the spool is empty")
