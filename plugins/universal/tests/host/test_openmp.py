"""At any time, one thread alone has threads of torch that compute for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from llamafarm_universal.host.engines.stepwise import Stepwise, hand_over
from llamafarm_universal.host.openmp import let_team_go
from llamafarm_universal.host.prepare import Preparer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="teams are those of GNU's OpenMP")
LARGE = 200_000
"""Torch computes with one thread what is smaller than 32,768."""


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    let_team_go()
    yield
    let_team_go()
    torch.set_num_threads(before)


def compute() -> None:
    torch.exp(torch.zeros(LARGE))


def threads() -> set[str]:
    """Of this process, those of C libraries among them."""
    return {path.name for path in Path("/proc/self/task").iterdir()}


def test_a_thread_that_has_computed_keeps_another_one_until_it_lets_it_go() -> None:
    before = threads()
    compute()
    assert len(threads() - before) == 1
    let_team_go()
    assert not threads() - before
    compute()
    assert len(threads() - before) == 1, "it computes with as many threads as before"


def test_a_call_that_is_taken_step_by_step_computes_with_the_only_team() -> None:
    seen: list[int] = []

    def call() -> str:
        for _ in range(2):
            compute()
            seen.append(len(threads() - before))
            hand_over()
        return "done"

    before = threads()
    stepwise = Stepwise(call)
    while not stepwise.step():
        compute()
        seen.append(len(threads() - before))
    assert seen == [2] * 4, "the call's thread, and one that computes for the one or the other"


def test_a_request_that_has_been_prepared_leaves_no_team() -> None:
    before = threads()
    posted: list[set[str]] = []
    told = threading.Event()

    def post(_: object) -> None:
        posted.append(threads())
        told.set()

    Preparer(post, limit=60).start(compute, lambda _: None, lambda _: None)
    assert told.wait(60)
    assert len(posted[0] - before) == 1, "the thread that prepares, which waits for the next request"
