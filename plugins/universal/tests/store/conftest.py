"""A hub, and a store in a process of its own that knows no other."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, running_hub
from llamafarm_universal.messages import (
    Cancel,
    Command,
    Describe,
    Event,
    Failed,
    Locate,
    Machine,
    ModelRef,
    Pull,
    Ready,
    Remove,
    Stored,
)
from llamafarm_universal.messages.model import LoadSettings
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.main import run

PATIENCE = 90.0  # seconds for one event: a bound against hanging, never a measurement


@dataclass
class Answer:
    """All events of one request, in order."""

    events: list[Event] = field(default_factory=list)

    @property
    def last(self) -> Any:
        return self.events[-1]

    @property
    def failed(self) -> Failed:
        assert isinstance(self.last, Failed), self.last
        return self.last

    @property
    def plan(self) -> Any:
        assert not isinstance(self.last, Failed), self.last
        return self.last.plan


class StoreProcess:
    """The server's side of a spawned store."""

    def __init__(self) -> None:
        processes = multiprocessing.get_context("spawn")
        self.connection, far_end = processes.Pipe()
        self.process = processes.Process(target=run, args=(far_end, Limits()))
        self.process.start()
        far_end.close()
        self._numbers = itertools.count(1)
        self._others: deque[Event] = deque()
        self.cache = Path()
        assert isinstance(self.next(), Ready)

    def send(self, command: Command) -> None:
        self.connection.send(command)

    def next(self) -> Event:
        while not self._others:
            assert self.connection.poll(PATIENCE), "The store says nothing."
            self._others.extend(self.connection.recv())
        return self._others.popleft()

    def answer(self, request_id: str) -> Answer:
        """All events of a request through its last one; those of others are kept for later."""
        answer, kept = Answer(), []
        while not (answer.events and answer.last.is_last):
            event = self.next()
            (answer.events if event.request_id == request_id else kept).append(event)
        self._others.extendleft(reversed(kept))
        return answer

    @property
    def others(self) -> tuple[Event, ...]:
        """Events of other requests that `answer` came across and kept."""
        return tuple(self._others)

    def new_id(self) -> str:
        return f"r{next(self._numbers)}"

    def locate(self, model: str | ModelRef, machine: Machine | None = None, **settings: Any) -> Answer:
        request_id = self.new_id()
        ref = ModelRef(model, LoadSettings(**settings)) if isinstance(model, str) else model
        self.send(Locate(request_id, ref, machine or Machine()))
        return self.answer(request_id)

    def pull(self, model: str, **settings: Any) -> Answer:
        request_id = self.new_id()
        self.send(Pull(request_id, ModelRef(model, LoadSettings(**settings))))
        return self.answer(request_id)

    def describe(self, *models: str) -> dict[str, Stored]:
        request_id = self.new_id()
        self.send(Describe(request_id, models))
        return dict(self.answer(request_id).last.stored)

    def remove(self, model: str) -> Answer:
        request_id = self.new_id()
        self.send(Remove(request_id, model))
        return self.answer(request_id)

    def cancel(self, request_id: str) -> None:
        self.send(Cancel(request_id))

    def close(self) -> None:
        self.connection.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def running_store() -> Iterator[StoreProcess]:
    store = StoreProcess()
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(scope="session")
def start_store() -> Callable[..., Any]:
    """Start a store of one's own, which sees the test's environment: `with start_store() as store`."""
    return running_store


@pytest.fixture(scope="session")
def hub(llama_folder: Path) -> Iterator[Hub]:
    with running_hub() as server:
        server.models["farm/tiny"] = llama_folder
        yield server


@pytest.fixture(scope="session")
def store(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """A store that knows only the stand-in, with an empty cache in TRANSFORMERS_CACHE."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"):
            patch.delenv(name, raising=False)
        patch.setenv("TRANSFORMERS_CACHE", str(cache))
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_TOKEN", "hf_stand_in")
        with running_store() as running:
            running.cache = cache
            yield running
