"""`lf serve` as a process: where it listens, what it refuses to begin with, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from llamafarm.api.serve import serve
from llamafarm.errors import ConfigError, UsageError
from llamafarm.plugins.manager import PluginManager

BOUND = 30.0
SOURCE = """
import os
from pathlib import Path

import llamafarm
from llamafarm_kit.testing.scripted import ScriptedProvider, ScriptedReply

class FileGate:
    def is_set(self):
        return Path(os.environ["GATE"]).exists()

class Provider(ScriptedProvider):
    async def chat(self, request, call):
        Path(os.environ["GATE"] + ".asked").touch()
        if request["messages"][-1]["content"] == "flood":
            return ScriptedReply("word " * 100_000)
        return ScriptedReply("Hello there.", gate=FileGate())

@llamafarm.hookimpl
def register_providers():
    yield llamafarm.ProviderSpec(
        name="scripted",
        summary="made for a test",
        entry=llamafarm.ModelEntry,
        endpoint=lambda entry: llamafarm.Endpoint("scripted", entry.base_url or "http://127.0.0.1:9/v1"),
        connect=lambda endpoint: Provider(),
    )

async def cows(request, farm):
    from llamafarm.web import json_answer
    return json_answer({"project": farm.project.name, "cow": request.path_params["name"]})

async def trip(request, farm):
    raise ZeroDivisionError("a cow too many")

async def dig(request, farm):
    import asyncio
    from llamafarm.web import read_object
    asked = await read_object(request)
    Path(os.environ["GATE"] + ".dug").touch()
    try:
        await asyncio.sleep(600)
    finally:
        Path(os.environ["GATE"] + ".left").touch()

@llamafarm.hookimpl
def register_routes():
    yield llamafarm.RouteSpec("/barn/cows/{name}", ("GET",), "a cow", cows)
    yield llamafarm.RouteSpec("/barn/trip", ("POST",), "trips", trip)
    yield llamafarm.RouteSpec("/barn/dig", ("POST",), "digs for ever", dig, scope="admin")
"""
BROKEN = """
import llamafarm

@llamafarm.hookimpl
def register_routes():
    yield llamafarm.RouteSpec("/chat/completions", ("POST",), "takes what is the core's", print)
"""
CONFIG = """
name: shop
runtime:
  models:
    - {name: chat, provider: scripted, model: x}
"""
PROGRAM = "import llamafarm.api.serve as api; api.GRACE_SECONDS = %d; from llamafarm.cli.main import main; main()"
ASKED = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


class Process:
    """A running `lf serve`. url: what it printed; lines: all that it has printed on stderr."""

    def __init__(self, folder: Path, environ: dict[str, str], grace: int, *options: str) -> None:
        command = [sys.executable, "-c", PROGRAM % grace, "serve", "--port", "0", *options]
        self.child = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = self.until("listens on").split()[-1]

    def _read(self) -> None:
        assert self.child.stderr is not None
        self.lines += []
        for line in self.child.stderr:
            self.lines.append(line)

    def until(self, text: str) -> str:
        """The first line with `text`, waited for."""
        end = time.monotonic() + BOUND
        while time.monotonic() < end:
            found = next((line for line in self.lines if text in line), None)
            if found:
                return found
            assert self.child.poll() is None or self._reader.is_alive(), self.lines
            time.sleep(0.01)
        raise AssertionError(f"{text!r} never came: {self.lines}")

    def end(self) -> int:
        """Wait for the end of the process."""
        code = self.child.wait(BOUND)
        self._reader.join(BOUND)
        return code

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(BOUND)
        self._reader.join(BOUND)
        for pipe in (self.child.stdout, self.child.stderr):
            assert pipe is not None
            pipe.close()


def until(file: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + BOUND
    while not file.exists():
        assert time.monotonic() < end, f"{file} never came"
        time.sleep(0.01)


@pytest.fixture
def start(install, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """start(grace=…) runs `lf serve` beside a provider whose answers wait for the file `tmp_path / "gate"`."""
    folder = install("acme-scripted", SOURCE)
    (tmp_path / "llamafarm.yaml").write_text(CONFIG)
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(install("acme-broken", BROKEN))]),
        "LF_DATA_DIR": str(tmp_path / "data"),
        "GATE": str(tmp_path / "gate"),
    }
    running: list[Process] = []

    def begin(*options: str, grace: int = 10) -> Process:
        running.append(Process(tmp_path, environ, grace, *options))
        return running[-1]

    yield begin
    for process in running:
        process.kill()


def test_it_says_where_it_listens_and_stops_on_sigterm(start, tmp_path):
    (tmp_path / "gate").touch()
    server = start()
    answer = httpx.post(f"{server.url}/chat/completions", json={**ASKED, "stream": False}, timeout=BOUND)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there."
    server.until("POST /v1/chat/completions 200")
    server.child.send_signal(signal.SIGTERM)
    assert server.end() == 0
    assert server.child.stdout.read() == ""
    assert not any("Traceback" in line for line in server.lines), "".join(server.lines)
    assert not any("Hi" in line.split() for line in server.lines)


def test_routes_of_plugins_are_served_and_one_that_is_broken_is_a_warning(start, tmp_path):
    server = start()
    below = server.url.removesuffix("/v1") + "/v1/projects/default/shop"
    for url in (server.url, below):
        assert httpx.get(f"{url}/barn/cows/Berta", timeout=BOUND).json() == {"project": "shop", "cow": "Berta"}
    failed = httpx.post(f"{server.url}/barn/trip", timeout=BOUND)
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "plugin_failed")
    assert "ZeroDivisionError: a cow too many" in failed.json()["error"]["message"]
    assert "/chat/completions' is the core's own" in server.until("plugin 'broken'")
    (tmp_path / "gate").touch()
    answer = httpx.post(f"{server.url}/chat/completions", json={**ASKED, "stream": False}, timeout=BOUND)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there."


def test_work_of_a_plugin_ends_with_its_client(start, tmp_path):
    server = start()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/barn/dig", json={}, timeout=httpx.Timeout(BOUND, read=1))
    until(tmp_path / "gate.dug")
    until(tmp_path / "gate.left")
    assert httpx.get(f"{server.url}/barn/cows/Berta", timeout=BOUND).status_code == 200


def test_a_stream_that_runs_at_sigterm_may_end(start, tmp_path):
    server = start()
    url = f"{server.url}/chat/completions"
    with httpx.Client(timeout=BOUND) as client, client.stream("POST", url, json=ASKED) as answer:
        lines = answer.iter_lines()
        assert "Hello" in next(lines)
        server.child.send_signal(signal.SIGTERM)
        (tmp_path / "gate").touch()
        assert list(lines)[-2] == "data: [DONE]"
    assert server.end() == 0


def test_a_stream_that_does_not_end_in_time_is_told_that_the_server_stops(start):
    server = start(grace=1)
    url = f"{server.url}/chat/completions"
    with httpx.Client(timeout=BOUND) as client, client.stream("POST", url, json=ASKED) as answer:
        lines = answer.iter_lines()
        assert "Hello" in next(lines)
        server.child.send_signal(signal.SIGTERM)
        rest = [line for line in lines if line]
    event = json.loads(rest[0].removeprefix("data: "))
    message = "The server is stopping.\nAsk again once it is up."
    assert (event["error"]["code"], event["error"]["message"]) == ("server_stopping", message)
    assert rest[1:] == []
    assert server.end() == 0
    assert not any("Traceback" in line for line in server.lines), "".join(server.lines)


def test_a_client_that_does_not_read_does_not_hold_up_the_end(start, tmp_path):
    server = start(grace=1)
    (tmp_path / "gate").touch()
    address = ("127.0.0.1", httpx.URL(server.url).port)
    body = json.dumps({"messages": [{"role": "user", "content": "flood"}], "stream": True})
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(address, timeout=BOUND) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert client.recv(20).startswith(b"HTTP/1.1 200")
        server.child.send_signal(signal.SIGTERM)
        assert server.end() == 0


def test_an_answer_that_is_not_ready_in_time_is_a_503(start, tmp_path):
    server = start(grace=1)
    found: list[httpx.Response] = []

    def ask() -> None:
        found.append(httpx.post(f"{server.url}/chat/completions", json={**ASKED, "stream": False}, timeout=BOUND))

    asking = threading.Thread(target=ask)
    asking.start()
    end = time.monotonic() + BOUND
    while not (tmp_path / "gate.asked").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    server.child.send_signal(signal.SIGTERM)
    asking.join(BOUND)
    assert (found[0].status_code, found[0].json()["error"]["code"]) == (503, "server_stopping")
    assert server.end() == 0


def test_a_folder_without_a_configuration_is_told_at_the_start(start, tmp_path):
    (tmp_path / "llamafarm.yaml").unlink()
    start().until("There is no llamafarm.yaml here")


def workers_of(server: Process) -> list[psutil.Process]:
    """The processes that answer, once both are there."""
    end = time.monotonic() + BOUND
    while len(workers := psutil.Process(server.child.pid).children()) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    return workers


def ask(server: Process) -> int:
    return httpx.post(f"{server.url}/chat/completions", json={**ASKED, "stream": False}, timeout=BOUND).status_code


def test_several_workers_answer_on_one_address_and_end_together(start, tmp_path):
    (tmp_path / "gate").touch()
    server = start("--workers", "2")
    workers = workers_of(server)
    assert [ask(server) for _ in range(5)] == [200] * 5
    server.child.send_signal(signal.SIGTERM)
    assert server.end() == 0
    assert not any(worker.is_running() for worker in workers)
    assert not any("Traceback" in line for line in server.lines), "".join(server.lines)
    assert sum("listens on" in line for line in server.lines) == 1


def test_a_worker_that_dies_is_begun_again(start, tmp_path):
    (tmp_path / "gate").touch()
    server = start("--workers", "2")
    victim = workers_of(server)[0]
    victim.kill()
    server.until(f"The worker {victim.pid} has ended (exit code -9); another one is begun")
    assert victim.pid not in {worker.pid for worker in workers_of(server)}
    assert [ask(server) for _ in range(5)] == [200] * 5


def test_workers_end_with_their_parent(start):
    server = start("--workers", "2")
    workers = workers_of(server)
    server.child.kill()
    assert psutil.wait_procs(workers, timeout=BOUND)[1] == []


def test_ctrl_c_ends_the_workers_too(start):
    server = start("--workers", "2")
    workers = workers_of(server)
    server.child.send_signal(signal.SIGINT)
    assert server.end() == 130
    assert not any(worker.is_running() for worker in workers)
    assert not any("Traceback" in line for line in server.lines), "".join(server.lines)


def test_several_workers_need_a_system_with_fork(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="Several workers need a system with fork"):
        serve("127.0.0.1", 0, plugins=PluginManager(), workers=2, environ={"LF_DATA_DIR": str(tmp_path)})


def test_ctrl_c_stops_it_too(start):
    server = start()
    server.child.send_signal(signal.SIGINT)
    assert server.end() == 130


def test_a_port_that_is_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 is in use") as refusal:
            serve("127.0.0.1", port, plugins=PluginManager(), environ={"LF_DATA_DIR": str(tmp_path)})
    assert "--port" in refusal.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_an_address_that_others_can_reach_needs_a_key(host, tmp_path):
    with pytest.raises(UsageError, match="a key is needed") as refusal:
        serve(host, 0, plugins=PluginManager(), environ={"LF_DATA_DIR": str(tmp_path)})
    assert "LF_API_KEY" in refusal.value.hint


def test_an_address_of_another_machine_cannot_be_listened_on(tmp_path):
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1"):
        serve("192.0.2.1", 0, plugins=PluginManager(), environ={"LF_DATA_DIR": str(tmp_path), "LF_API_KEY": "k"})


def test_a_model_entry_that_points_at_this_server_is_refused(install, tmp_path):
    install("acme-scripted", SOURCE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "llamafarm.yaml"
    config.write_text(CONFIG.replace("model: x", f"model: x, base_url: 'http://localhost:{port}/v1'"))
    with pytest.raises(ConfigError, match="this very server"):
        serve("127.0.0.1", port, plugins=PluginManager(), config=config, environ={"LF_DATA_DIR": str(tmp_path)})


def test_a_wrong_configuration_is_told_before_anything_listens(tmp_path):
    config = tmp_path / "llamafarm.yaml"
    config.write_text("runtime: [")
    with pytest.raises(ConfigError, match=r"llamafarm\.yaml"):
        serve("127.0.0.1", 0, plugins=PluginManager(), config=config, environ={"LF_DATA_DIR": str(tmp_path)})
