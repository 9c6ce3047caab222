"""A real server on a real socket, with a scripted engine host behind it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import openai
import pytest
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.serve import Server, bind
from llamafarm_universal.server.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))  # the spawned host imports scripted_host by its name

BOUND = 30.0


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
        wait_until(lambda: self.runtime.supervisor.state == state, f"the host is {state}")


@contextmanager
def serving(settings: Settings | None = None, target: str = "scripted_host:run") -> Iterator[Running]:
    settings = replace(settings or Settings(), port=0)
    listener = bind(settings)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    runtime = Runtime(settings, target=target)
    server = Server(runtime)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_until(lambda: server.started, "the server listens")
        with httpx.Client(base_url=url, timeout=BOUND) as http:
            yield Running(url, http, runtime, server)
    finally:
        server.should_exit = True
        thread.join(BOUND)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def shared() -> Iterator[Running]:
    """One server for all tests that leave its host alive."""
    with serving() as running:
        yield running


@pytest.fixture
def own() -> Iterator[Running]:
    """A server for one test."""
    with serving() as running:
        yield running
