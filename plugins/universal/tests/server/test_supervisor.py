"""What becomes of requests when the engine host dies, and of the host."""

from __future__ import annotations

import json
import os
import signal

from runtime_servers import serving


def kill_host(server):
    pid = server.runtime.fleet.main.pid
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_host_killed_while_idle_is_not_noticed_by_the_next_request(own):
    own.host_is("ready")
    for _ in range(3):
        pid = kill_host(own)
        assert own.chat("still here").json()["choices"][0]["message"]["content"] == "still here"
        assert own.runtime.fleet.main.pid != pid


def test_a_host_that_dies_before_the_answer_begins_is_a_503(own):
    response = own.chat("a", model="die/before")
    assert response.status_code == 503
    error = response.json()["error"]
    assert error["code"] == "engine_host_ended"
    assert error["message"].startswith(
        "The engine host ended while it was answering (killed by signal SIGKILL); it is being started again."
    )
    assert own.chat("back").status_code == 200


def test_a_host_that_dies_in_a_stream_is_one_error_event_and_the_end(own):
    response = own.chat("Hel|<die>", stream=True)
    assert response.status_code == 200
    *_, last = [line for line in response.text.split("\n\n") if line]
    assert "engine host ended" in json.loads(last.removeprefix("data: "))["error"]["message"]
    assert own.chat("back").status_code == 200


def test_requests_that_kill_the_host_each_time_never_make_it_give_up(own):
    for _ in range(6):
        assert own.chat("a", model="die/before").status_code == 503
    assert own.chat("back").status_code == 200


def test_a_host_that_dies_at_each_start_counts_as_failed():
    with serving(target="scripted_host:run_and_exit") as server:
        server.host_is("failed")
        error = server.chat("a").json()["error"]
        assert error["message"].startswith("The engine host does not start: it ended 4 times in a row (exit code 3)")
        health = server.http.get("/health").json()
        assert (health["status"], health["host"]) == ("ok", "failed")
        assert "exit code 3" in health["cause"]


def test_a_host_that_says_why_it_cannot_start_is_quoted():
    with serving(target="scripted_host:run_without_torch") as server:
        server.host_is("failed")
        message = server.chat("a").json()["error"]["message"]
        assert message == "The engine host does not start: No module named 'torch'. pip install it."


def test_the_models_of_a_dead_host_are_not_loaded(own):
    own.chat("a")
    assert own.http.get("/health").json()["models"] == ["echo/model"]
    own.chat("a", model="die/before")
    own.host_is("ready")
    assert own.http.get("/health").json()["models"] == []


def test_a_handle_outlives_the_host(own):
    loaded = own.http.post("/v1/models/load", json={"id": "echo/model", "settings": {"dtype": "bf16"}}).json()
    own.chat("a", model="die/before")
    assert own.chat("a", model=loaded["model"]).status_code == 200


def test_the_host_ends_with_the_server():
    with serving() as server:
        server.host_is("ready")
        pid = server.runtime.fleet.main.pid
    assert not running(pid)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
