"""What becomes of requests when the store of models' files dies, and of the store."""

from __future__ import annotations

import os
import signal

import pytest
from llamafarm_universal.server import store
from llamafarm_universal.server.operator import Operator
from llamafarm_universal.server.settings import Settings
from runtime_servers import serving, wait_until
from scripted_store import MARK

TOKEN = {"X-LF-Service-Token": "secret"}


def pull(server, model_id, **body):
    return server.http.post("/v1/models/pull", json={"id": model_id, **body})


def test_a_pull_over_which_the_store_dies_is_asked_of_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv(MARK, str(tmp_path / "mark"))
    with serving() as server:
        told = pull(server, "die/once", stream=True).text
    assert "event: pulled" in told
    assert "error" not in told


def test_a_pull_over_which_the_store_dies_each_time_is_an_error(own):
    response = pull(own, "die/always")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_ended")
    assert "what has come of a download is kept" in response.json()["error"]["message"]
    assert pull(own, "echo/model").status_code == 200


def test_a_deletion_over_which_the_store_dies_is_not_repeated():
    with serving(Settings(operator=Operator(token="secret"))) as server:
        response = server.http.delete("/v1/models/die/always", headers=TOKEN)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "store_ended")


def test_a_store_killed_while_idle_is_not_noticed_by_the_next_request(own):
    pull(own, "echo/model")
    for _ in range(3):
        os.kill(own.runtime.store.supervisor.pid, signal.SIGKILL)
        assert pull(own, "echo/model").status_code == 200


def test_a_store_that_does_not_start_is_an_error_and_the_server_goes_on():
    with serving(store="scripted_store:run_and_exit") as server:
        error = pull(server, "echo/model").json()["error"]
        assert error["code"] == "store_failed"
        assert error["message"].startswith("The store of models' files does not start: it ended 4 times in a row")
        told = server.chat("hello")
        assert (told.status_code, told.json()["error"]["code"]) == (503, "store_failed")
        health = server.http.get("/health").json()
        assert (health["status"], health["host"], health["store"]) == ("ok", "ready", "failed")


def test_too_many_at_once_are_a_429(own, monkeypatch):
    monkeypatch.setattr(store, "MAX_REQUESTS", 1)
    with own.http.stream("POST", "/v1/models/pull", json={"id": "hang/pull", "stream": True}) as hanging:
        pieces = hanging.iter_raw()
        next(pieces)
        refused = pull(own, "echo/model")
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    wait_until(lambda: pull(own, "echo/model").status_code == 200, "the place is free again")


def test_the_store_ends_with_the_server():
    with serving() as server:
        pull(server, "echo/model")
        pid = server.runtime.store.supervisor.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
