"""Loading, listing and unloading models, and /health meanwhile; with a scripted engine host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from llamafarm_universal import messages
from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.server.operator import Operator
from llamafarm_universal.server.requests import PATHS, media_of
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving


def load(server, model_id, headers=None, **body):
    return server.http.post("/v1/models/load", json={"id": model_id, **body}, headers=headers)


def events(response):
    frames = [frame.split("\n") for frame in response.text.split("\n\n") if frame]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in frames]


def test_a_loaded_model_answers_to_its_id(own):
    loaded = load(own, "echo/model").json()
    assert loaded == {
        "model": "echo/model", "id": "echo/model", "task": "text", "engine": "torch", "device": "cpu", "dtype": "fp32",
        "parameters": 10, "memory_bytes": 40, "context_length": 128, "dimensions": None, "features": ["chat"],
        "not_applied": [], "optimizations": [], "requests": [], "media": [], "quantization": "none", "likeness": None,
    }  # fmt: skip
    assert own.http.get("/health").json()["models"] == ["echo/model"]


def test_a_model_with_settings_gets_a_handle_that_requests_name(own):
    handle = load(own, "echo/model", settings={"dtype": "bf16"}).json()["model"]
    assert handle == "echo/model@dtype=bf16"
    assert handle != load(own, "echo/model", settings={"dtype": "fp16"}).json()["model"]
    assert handle == load(own, "echo/model", settings={"dtype": "bf16", "device": "auto"}).json()["model"]
    command = json.loads(own.chat("<show>", model=handle).json()["choices"][0]["message"]["content"])
    assert command["ref"]["settings"]["dtype"] == "bf16"


def test_loading_streams_its_progress(shared):
    response = load(shared, "echo/streamed", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    first, second, (name, model) = events(response)
    assert first == ("progress", {"stage": "downloading", "text": "Downloading", "done": 1, "total": 2})
    loading = {"stage": "loading", "text": "Loading echo/streamed", "done": None, "total": None}
    assert second == ("progress", loading)
    assert (name, model["model"]) == ("loaded", "echo/streamed")


def test_a_load_that_fails_late_is_an_error_event(shared):
    *_, (name, error) = events(load(shared, "fail/late", stream=True))
    assert (name, error["error"]["message"]) == ("error", "The weights are broken.")
    assert load(shared, "fail/late").status_code == 500


@pytest.mark.parametrize("stream", [False, True])
def test_a_load_that_is_refused_is_a_status(shared, stream):
    assert load(shared, "missing/model_not_found", stream=stream).status_code == 404


def test_models_are_listed_while_they_are_loaded(own):
    handle = load(own, "echo/model", settings={"dtype": "bf16"}).json()["model"]
    own.chat("a")
    own.http.post("/v1/models/unload", json={"model": handle})
    load(own, "echo/model", settings={"dtype": "fp16"})
    listed = {model["id"]: model for model in own.http.get("/v1/models").json()["data"]}
    assert set(listed) == {"echo/model", "echo/model@dtype=fp16"}
    assert listed["echo/model"]["loaded"]
    assert listed["echo/model"]["context_length"] == 128
    assert listed["echo/model@dtype=fp16"]["settings"]["dtype"] == "fp16"
    assert {model.id for model in own.openai.models.list()} == set(listed)
    assert own.openai.models.retrieve("echo/model").id == "echo/model"
    assert own.openai.models.retrieve("echo/model@device=auto,dtype=fp16").id == "echo/model@dtype=fp16"
    for unknown in (handle, "other/model", "no model", "/srv/model", "echo/model@dtype=odd"):
        assert own.http.get(f"/v1/models/{unknown}").status_code == 404


def test_models_of_the_operators_file_are_listed_loaded_or_not():
    ref = ModelRef("echo/model", LoadSettings(dtype="bf16"))
    with serving(Settings(operator=Operator(models={"echo/model": ref}))) as server:
        for loaded in (False, True):
            (row,) = server.http.get("/v1/models").json()["data"]
            assert (row["id"], row["loaded"], row["settings"]["dtype"]) == ("echo/model", loaded, "bf16")
            load(server, "echo/model")


def test_unloading_what_is_not_loaded_is_an_error(own):
    load(own, "echo/model")
    assert own.http.post("/v1/models/unload", json={"model": "echo/model"}).json()["unloaded"] is True
    assert own.http.post("/v1/models/unload", json={"model": "echo/model"}).status_code == 404


@pytest.mark.parametrize(("body", "param"), [
    ({"settings": {"device": "tpu"}}, "settings.device"), ({"settings": {"dtyp": "fp16"}}, "settings.dtyp"),
    ({"id": "../up/and/out of"}, "id"), ({"id": "a//b"}, "model"), ({"id": ""}, "id"), ({"settings": []}, "settings"),
])  # fmt: skip
def test_a_wrong_setting_is_named(shared, body, param):
    response = shared.http.post("/v1/models/load", json={"id": "echo/model", **body})
    if param == "id" and body["id"]:
        assert response.status_code == 403  # a folder, whatever it is called
        return
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_health_answers_while_a_model_loads(own):
    request = {"id": "hang/load", "stream": True}
    with own.http.stream("POST", "/v1/models/load", json=request) as loading:
        pieces = loading.iter_raw()  # kept: an iterator that nobody holds closes the connection
        assert b"downloading" in next(pieces)
        assert own.http.get("/health").json()["status"] == "ok"


def test_health_says_who_and_where():
    with serving() as server:
        server.host_is("ready")
        health = server.http.get("/health").json()
    assert health["pid"] == os.getpid()
    assert health["device"] == {"type": "cpu", "name": "scripted"}
    assert health["version"] == "0.1.0"


class TestPrivilegedSettings:
    """trust_remote_code executes code and local folders read the disk: only the operator says yes to them."""

    @pytest.mark.parametrize(
        "body", [{"settings": {"trust_remote_code": True}}, {"id": "/srv/model"}, {"id": "./model"}]
    )
    def test_without_the_token_they_are_refused_with_what_to_do(self, shared, body):
        response = shared.http.post("/v1/models/load", json={"id": "echo/model", **body})
        assert response.status_code == 403
        assert "UNIVERSAL_RUNTIME_CONFIG" in response.json()["error"]["message"]

    def test_a_folder_in_a_request_is_not_loaded(self, shared):
        response = shared.chat("a", model="/srv/model")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_loaded")

    def test_a_revision_and_a_package_need_no_token(self, shared):
        assert load(shared, "echo/model", settings={"revision": "v1.0"}).status_code == 200
        assert load(shared, "package:some_package/model").status_code == 200

    @pytest.mark.parametrize(("model", "settings"), [
        ("/srv/model", {"trust_remote_code": True}), ("/srv/model", {}), ("echo/model", {"trust_remote_code": True}),
    ])  # fmt: skip
    def test_with_the_token_they_are_taken_and_the_handle_is_enough_after(self, model, settings):
        with serving(Settings(operator=Operator(token="secret"))) as server:
            assert load(server, model, {"X-LF-Service-Token": "wrong"}, settings=settings).status_code == 403
            handle = load(server, model, {"X-LF-Service-Token": "secret"}, settings=settings).json()["model"]
            unsigned, _, signature = handle.rpartition("signed=")
            answer = server.chat("a", model=handle)
            assert (answer.status_code, answer.json()["model"]) == (200, unsigned[:-1])  # readers get no signature
            assert len(signature) == 32
            for forged in (unsigned[:-1], f"{unsigned}signed=", f"{unsigned}signed={signature[::-1]}"):
                refused = server.chat("a", model=forged)
                assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_loaded")

    def test_the_servers_own_file_gives_a_model_its_settings(self):
        settings = LoadSettings(trust_remote_code=True, revision="abc")
        models = {"echo/model": ModelRef("echo/model", settings), "/srv/model": ModelRef("/srv/model")}
        with serving(Settings(operator=Operator(models=models))) as server:
            command = json.loads(server.chat("<show>").json()["choices"][0]["message"]["content"])
            assert command["ref"]["settings"]["trust_remote_code"] is True
            assert load(server, "echo/model").json()["model"] == "echo/model"
            same = {"trust_remote_code": True, "revision": "abc"}
            assert load(server, "echo/model", settings=same).status_code == 200
            other = {"trust_remote_code": True, "revision": "def"}
            assert load(server, "echo/model", settings=other).status_code == 403
            assert load(server, "other/model", settings=same).status_code == 403
            assert server.chat("a", model="/srv/model").status_code == 200
            assert Path("/srv/model").is_absolute()


def test_a_model_that_is_not_loaded_is_described_by_its_files(shared):
    body = {"id": "package:llamafarm_universal/demo_model", "settings": {"dtype": "bf16"}}
    row = shared.http.post("/v1/models/describe", json=body).json()
    assert (row["id"], row["loaded"], row["downloaded"]) == (f"{body['id']}@dtype=bf16", False, True)
    assert (row["task"], row["engine"], row["media"]) == ("text", "torch", [])
    assert row["requests"] == [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/chat/completions/input_tokens",
        "/v1/embeddings",
        "/v1/embeddings/input_tokens",
    ]
    assert {"chat", "tools"} <= set(row["features"])
    assert row["context_length"] > 0 < row["parameters"]
    assert "structured" in row["known_once_loaded"]
    assert shared.http.get("/health").json()["models"].count(row["id"]) == 0


def test_what_may_not_be_loaded_is_not_described_and_what_is_nowhere_is_a_404(shared):
    assert shared.http.post("/v1/models/describe", json={"id": "/srv/model"}).status_code == 403
    assert shared.http.post("/v1/models/describe", json={"id": "nobody/none"}).status_code == 404
    assert shared.http.post("/v1/models/describe", json={"id": "a/b", "settings": {"dtyp": 1}}).status_code == 400


def test_every_request_that_a_model_says_that_it_takes_has_a_route(shared):
    paths = {path for works in PATHS.values() for path in works}
    answers = {path: shared.http.post(f"/v1/{path}", content=b"{}").status_code for path in paths}
    assert not {path: status for path, status in answers.items() if status in (404, 405)}
    named = [getattr(work, "operation", None) for work in vars(messages).values() if isinstance(work, type)]
    assert {name for name in named if name is not None} == PATHS.keys()


def test_media_are_said_once_and_films_of_models_that_chat_alone():
    assert media_of({"generate", "count"}, {"chat", "pictures", "sound"}) == ["pictures", "sound", "films"]
    assert media_of({"embed", "label_pictures"}, {"pictures"}) == ["pictures"]
    assert media_of({"draw_image", "edit_image"}, {"images"}) == ["pictures"]
    assert media_of({"transcribe"}, set()) == ["sound"]
    assert media_of({"generate"}, {"chat"}) == []
