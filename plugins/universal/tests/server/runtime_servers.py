"""Servers to test: in a thread with a scripted engine host behind it, or as a process with a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import openai
import psutil
from llamafarm_kit.testing.served import served
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.serve import Server
from llamafarm_universal.server.settings import Settings

BOUND = 30.0
WITH_TORCH_BYTES = 200_000_000
"""A process has more in memory once it has imported torch, and less before."""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until `condition` holds; fail with `what` after BOUND seconds."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, f"not within {BOUND:g} s: {what}"
        time.sleep(0.01)


@dataclass
class Running:
    """A server that runs in a thread. http: a client of it."""

    url: str
    http: httpx.Client
    runtime: Runtime
    server: Server

    @property
    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=BOUND, http_client=self.http
        )

    def chat(self, text: str, model: str = "echo/model", **fields: object) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.http.post("/v1/chat/completions", json=body)

    def host_is(self, state: str) -> None:
        wait_until(lambda: self.runtime.fleet.main.state == state, f"the host is {state}")


@contextmanager
def serving(
    settings: Settings | None = None, target: str = "scripted_host:run", store: str = "scripted_store:run"
) -> Iterator[Running]:
    runtime = Runtime(settings or Settings(), target=target, store=store)
    server = Server(runtime)
    with served(server) as url, httpx.Client(base_url=url, timeout=BOUND) as http:
        yield Running(url, http, runtime, server)


@dataclass
class ServerProcess:
    """`python -m llamafarm_universal.server` as a user runs it."""

    process: subprocess.Popen[str]
    url: str

    @property
    def host(self) -> psutil.Process:
        """The engine host: of all children it alone has imported torch."""
        return max(psutil.Process(self.process.pid).children(), key=lambda child: child.memory_info().rss)

    @property
    def hosts(self) -> list[psutil.Process]:
        """The engine host, and those of models that have a process of their own."""
        return [
            child for child in psutil.Process(self.process.pid).children() if child.memory_info().rss > WITH_TORCH_BYTES
        ]

    @property
    def store(self) -> psutil.Process:
        """The store of models' files: the child that is neither the engine host nor multiprocessing's own."""
        host = self.host
        children = [child for child in psutil.Process(self.process.pid).children() if child != host]
        return next(child for child in children if "resource_tracker" not in " ".join(child.cmdline()))

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=BOUND)

    def host_is_ready(self) -> None:
        wait_until(lambda: self.get("/health").json()["host"] == "ready", "the engine host is ready")


def launch(*arguments: str, within: Sequence[str] = (), **environ: str) -> subprocess.Popen[str]:
    """Start it. within: a command that executes the command that follows."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "llamafarm_universal.server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
    )


@contextmanager
def running_process(*arguments: str, **environ: str) -> Iterator[ServerProcess]:
    with listening(launch("--port", "0", *arguments, **environ)) as server:
        yield server


@contextmanager
def listening(process: subprocess.Popen[str]) -> Iterator[ServerProcess]:
    """A server that was launched, once it listens; it is ended."""
    try:
        line = process.stdout.readline()
        assert "listens on http://" in line, process.stderr.read()
        yield ServerProcess(process, line.split()[-1])
    finally:
        process.terminate()
        process.communicate(timeout=BOUND)
