"""Models are loaded one after the other, in a thread that is there as long as there is something to load."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from llamafarm_universal.host import builder as module
from llamafarm_universal.host.builder import Builder

PATIENCE = 20.0


@pytest.fixture
def posts() -> SimpleQueue[Any]:
    return SimpleQueue()


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch, posts: SimpleQueue[Any]) -> Builder:
    """Its engines are numbers: what a load asks for, and no engine where it asks for none."""

    def load(plan: Any, grant: int) -> int:
        if plan.wanted is None:
            raise RuntimeError("this model cannot be loaded")
        return int(plan.wanted)

    monkeypatch.setattr(module, "spec_of", lambda engine, task: SimpleNamespace(load=load))
    return Builder(posts.put)


def order(wanted: int | None) -> Any:
    plan = SimpleNamespace(wanted=wanted, engine="", task="", ref=SimpleNamespace(id="a"), device="cpu")
    return SimpleNamespace(plan=plan, grant=0)


def builders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "builder"]


def test_models_are_loaded_in_the_order_in_which_they_are_asked_for(builder: Builder, posts: SimpleQueue[Any]) -> None:
    told: list[Any] = []
    for wanted in (1, None, 2):
        builder.build(order(wanted), told.append, lambda failure: told.append(failure.kind))
    for _ in range(3):
        posts.get(timeout=PATIENCE)()
    assert told == [1, "internal", 2]


def test_no_thread_stays_that_would_keep_a_team_of_openmp(builder: Builder, posts: SimpleQueue[Any]) -> None:
    """A second team has the engines' threads sleep between any two operations."""
    for wanted in (1, 2):  # a thread that has ended is no obstacle to the next load
        told: list[Any] = []
        builder.build(order(wanted), told.append, told.append)
        posts.get(timeout=PATIENCE)()
        assert told == [wanted]
        end = time.monotonic() + PATIENCE
        while builders() and time.monotonic() < end:
            time.sleep(0.01)
        assert not builders()
