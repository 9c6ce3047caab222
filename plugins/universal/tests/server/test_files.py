"""Fetching and deleting models over HTTP, and what is told of the disk; with a scripted engine host and store."""

from __future__ import annotations

import json

import pytest
from llamafarm_universal.server.operator import Operator
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving, wait_until

TOKEN = {"X-LF-Service-Token": "secret"}


def pull(server, model_id="echo/model", headers=None, **body):
    return server.http.post("/v1/models/pull", json={"id": model_id, **body}, headers=headers)


@pytest.fixture(scope="module")
def trusting():
    with serving(Settings(operator=Operator(token="secret"))) as server:
        yield server


def test_a_pull_streams_its_progress_and_its_end(shared):
    response = pull(shared, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    frames = [frame.split("\n") for frame in response.text.split("\n\n") if frame]
    told = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in frames]
    step = {"stage": "downloading", "text": "Downloading", "done": 1, "total": 2}
    assert told == [
        ("progress", {**step, "file": "weights", "index": 1, "count": 1}),
        ("pulled", {"id": "echo/model", "fetched": True, "size_bytes": 2}),
    ]


def test_a_pull_that_is_not_streamed_is_one_answer(shared):
    assert pull(shared).json() == {"id": "echo/model", "fetched": True, "size_bytes": 2}


def test_a_pull_loads_nothing_and_gives_no_handle(own):
    pull(own)
    assert own.http.get("/v1/models").json()["data"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_pull_that_is_refused_at_once_is_a_status(shared, stream):
    assert pull(shared, "refuse/model_not_found", stream=stream).status_code == 404


def test_who_goes_away_cancels_the_pull(own):
    with own.http.stream("POST", "/v1/models/pull", json={"id": "hang/pull", "stream": True}) as pulling:
        pieces = pulling.iter_raw()  # kept: an iterator that nobody holds closes the connection
        assert b"Downloading" in next(pieces)
        assert own.http.get("/health").json()["status"] == "ok"

    def cancelled():
        return own.http.get("/v1/models/log/cancelled").json()["size_bytes"] == 1

    wait_until(cancelled, "the pull is cancelled")


@pytest.mark.parametrize(("body", "param"), [
    ({"settings": {"dtype": "fp16"}}, "settings.dtype"), ({"settings": {"revision": 1}}, "settings.revision"),
    ({"id": "a//b"}, "model"), ({"id": ""}, "id"), ({"force": True}, "force"),
])  # fmt: skip
def test_a_wrong_field_of_a_pull_is_named(shared, body, param):
    response = shared.http.post("/v1/models/pull", json={"id": "echo/model", **body})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("body", [{"settings": {"trust_remote_code": True}}, {"id": "/srv/model"}])
def test_code_and_folders_need_the_token_to_be_pulled_as_to_be_loaded(trusting, body):
    refused = trusting.http.post("/v1/models/pull", json={"id": "echo/model", **body})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "privileged_setting")
    taken = trusting.http.post("/v1/models/pull", json={"id": "echo/model", **body}, headers=TOKEN)
    assert taken.status_code == 200


def test_a_model_is_deleted_for_llamafarm(trusting):
    answer = trusting.http.delete("/v1/models/echo%2Fmodel", headers=TOKEN).json()
    assert answer == {"id": "echo/model", "object": "model", "deleted": True, "freed_bytes": 2}
    assert trusting.http.delete("/v1/models/echo/model", headers=TOKEN).status_code == 200


def test_a_loaded_model_is_unloaded_before_it_is_deleted(trusting):
    for settings in ({}, {"dtype": "bf16"}):
        trusting.http.post("/v1/models/load", json={"id": "echo/loaded", "settings": settings})
    assert trusting.http.delete("/v1/models/echo/loaded", headers=TOKEN).status_code == 200
    assert trusting.http.get("/health").json()["models"] == []


def test_a_model_that_is_being_loaded_is_not_deleted(trusting):
    body = {"id": "hang/load", "stream": True}
    with trusting.http.stream("POST", "/v1/models/load", json=body) as loading:
        pieces = loading.iter_raw()
        assert b"Downloading" in next(pieces)
        refused = trusting.http.delete("/v1/models/hang/load", headers=TOKEN)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_use")
    assert "being loaded" in refused.json()["error"]["message"]


def test_a_model_is_deleted_for_who_has_the_servers_key():
    with serving(Settings(api_key="key")) as server:
        assert server.http.delete("/v1/models/echo/model").status_code == 401
        assert server.http.delete("/v1/models/echo/model", headers={"Authorization": "Bearer key"}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"X-LF-Service-Token": "wrong"}])
def test_nobody_else_deletes(trusting, shared, headers):
    for server in (trusting, shared):
        response = server.http.delete("/v1/models/echo/model", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "privileged_setting")
        assert "UNIVERSAL_RUNTIME_API_KEY" in response.json()["error"]["message"]


@pytest.mark.parametrize(("model", "status", "words"), [
    ("echo%2Fmissing", 404, "not downloaded"), ("echo%2Fused", 409, "being downloaded"),
    ("%2Fsrv%2Fmodel", 400, "is a folder"), ("package:llamafarm_universal%2Fdemo_model", 400, "is a folder"),
    ("..%2F..%2Fetc", 400, "is a folder"), ("a%2F..%2F..%2Fb", 400, "not a model id"), ("a--b", 400, "not a model id"),
])  # fmt: skip
def test_what_cannot_be_deleted_says_why(trusting, model, status, words):
    response = trusting.http.delete(f"/v1/models/{model}", headers=TOKEN)
    assert (response.status_code, words in response.json()["error"]["message"]) == (status, True)


def test_a_model_that_is_on_the_disk_alone_is_told_as_that(shared):
    model = shared.http.get("/v1/models/package:llamafarm_universal%2Fdemo_model").json()
    assert (model["loaded"], model["downloaded"], model["model"]) == (False, True, model["id"])
    assert model["size_bytes"] > 100_000


def test_a_folder_that_was_not_admitted_is_not_looked_at(shared, llama):
    assert shared.http.get(f"/v1/models/{llama}").status_code == 404
    assert shared.http.get("/v1/models/%2Fetc").status_code == 404


def test_a_model_that_has_a_handle_says_what_is_on_the_disk(own):
    own.http.post("/v1/models/load", json={"id": "package:llamafarm_universal/demo_model"})
    own.http.post("/v1/models/load", json={"id": "echo/model"})
    demo, echo = own.http.get("/v1/models").json()["data"]
    assert (demo["loaded"], demo["downloaded"]) == (True, True)
    assert (echo["loaded"], echo["downloaded"], echo["size_bytes"]) == (True, False, None)
