"""The runtime, its engine host or the user ends what is running: what is said, and that the next answer comes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from commands import BOUND, Running, Served, wait_until
from counting_model import counted
from farms import Farm

Start = Callable[..., Running]
MIDDLE = "nine ten one"


def answers(own: Farm) -> None:
    done = own.lf("chat", "Count", "--model", "brief")
    assert (done.returncode, done.stdout) == (0, counted(3) + "\n"), done.stderr


def runtime(own: Farm) -> psutil.Process:
    [process] = own.services()
    return process


def engine_host(own: Farm) -> psutil.Process:
    """The child that holds the model: by far the largest."""
    return max(runtime(own).children(), key=lambda child: child.memory_info().rss)


def kill(process: psutil.Process) -> None:
    process.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "the process has ended")


def test_after_the_runtime_was_killed_the_next_chat_works(own: Farm) -> None:
    answers(own)
    before = runtime(own)

    kill(before)

    answers(own)
    assert runtime(own).pid != before.pid


def test_a_runtime_that_is_killed_in_the_middle_of_an_answer_is_an_error_after_the_partial_text(
    own: Farm, start: Start
) -> None:
    answers(own)
    chat = start(own, "chat", "Count")
    chat.until(MIDDLE)

    kill(runtime(own))

    assert chat.end() == 1
    assert chat.stdout.startswith(counted(10))
    assert "Error: " in chat.stderr
    assert "broke off" in chat.stderr
    assert "Traceback" not in chat.stderr
    answers(own)


def test_a_stream_of_the_api_ends_with_one_error_and_the_next_request_starts_the_runtime(own: Farm) -> None:
    question = {"model": "counting", "messages": [{"role": "user", "content": "Count"}], "stream": True}
    with Served(own) as root, httpx.Client(base_url=f"{root}/v1", timeout=BOUND) as http:
        with http.stream("POST", "/chat/completions", json=question) as answer:
            pieces = answer.iter_text()
            said = next(pieces)
            kill(runtime(own))
            said += "".join(pieces)
        after = http.post("/chat/completions", json={**question, "model": "brief", "stream": False})

    events = [event for event in said.split("\n\n") if event.startswith("data:")]
    assert [json.loads(event[5:]).get("error", {}).get("type") for event in events[-2:]] == [None, "upstream_error"]
    assert after.status_code == 200, after.text
    assert after.json()["choices"][0]["message"]["content"] == counted(3)


def test_after_the_engine_host_was_killed_while_idle_the_next_chat_works(own: Farm) -> None:
    answers(own)
    process = runtime(own)

    kill(engine_host(own))

    answers(own)
    assert runtime(own) == process


def test_an_engine_host_that_is_killed_in_the_middle_of_an_answer_is_a_clear_error(own: Farm, start: Start) -> None:
    answers(own)
    process = runtime(own)
    chat = start(own, "chat", "Count")
    chat.until(MIDDLE)

    kill(engine_host(own))

    assert chat.end() == 1
    assert chat.stdout.startswith(counted(10))
    assert "The engine host ended while it was answering (killed by signal SIGKILL)" in chat.stderr
    answers(own)
    assert runtime(own) == process


def test_ctrl_c_ends_the_answer_with_130_and_frees_its_slot(own: Farm, start: Start, counting: Path) -> None:
    answers(own)
    chat = start(own, "chat", "Count")
    chat.until(MIDDLE)
    models = httpx.get(f"{own.runtime}/v1/models", timeout=BOUND).json()["data"]
    name = next(model["id"] for model in models if model["model"] == str(counting))  # signed: it is a folder
    question = {"model": name, "messages": [{"role": "user", "content": "Count"}], "max_tokens": 2}

    def status() -> int:
        return httpx.post(f"{own.runtime}/v1/chat/completions", json=question, timeout=BOUND).status_code

    assert status() == 429  # it has room for one answer, and that answer has minutes to go

    chat.process.send_signal(signal.SIGINT)

    assert chat.end() == 130
    assert chat.stdout.startswith(counted(10))
    assert "Traceback" not in chat.stderr
    wait_until(lambda: status() == 200, "the slot is free")


def test_ctrl_c_while_the_runtime_starts_leaves_no_half_of_it(own: Farm, start: Start) -> None:
    own.end_services()
    chat = start(own, "chat", "Count", "--model", "brief")
    chat.until("Starting the Universal Runtime", where="stderr")

    os.kill(chat.process.pid, signal.SIGINT)

    assert chat.end() == 130
    assert "Traceback" not in chat.stderr
    answers(own)
    assert len(own.services()) == 1
