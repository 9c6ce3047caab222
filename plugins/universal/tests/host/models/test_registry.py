"""Models come, stay and go: through a real host with little room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from llamafarm_universal.messages import Generate, Load, LoadProgress, ModelRef, Run, Sampling, TextPrompt

GREEDY: dict[str, Any] = {"temperature": 0, "logit_bias": {2: -100.0}}
SMALL = 449_344  # bytes of the small test model
BIG = 400_000_000  # at least this many bytes of the big one


@pytest.fixture
def three(copy_of: Callable[..., Path]) -> list[ModelRef]:
    return [ModelRef(str(copy_of(name))) for name in ("one", "two", "three")]


@pytest.fixture(scope="module")
def big(models_folder: Path, make_model: Callable[..., Path]) -> ModelRef:
    """A model that is heavy enough to be seen in the memory of its process."""
    folder = make_model(models_folder / "big", hidden_size=1024, intermediate_size=4096, num_hidden_layers=7)
    return ModelRef(str(folder))


def loaded(host: Any) -> list[str]:
    return [Path(model.ref.id).name for model in host.models]


def test_the_least_recently_used_model_makes_room(start_host: Callable[..., Any], three: list[ModelRef]) -> None:
    one, two, third = three
    with start_host(memory_budget_bytes=int(SMALL * 2.5)) as host:
        host.load(one)
        host.load(two)
        host.generate(one, max_tokens=1)
        host.load(third)
        assert loaded(host) == ["one", "three"]


def test_a_kept_model_is_not_evicted(start_host: Callable[..., Any], three: list[ModelRef]) -> None:
    one, two, third = three
    with start_host(memory_budget_bytes=int(SMALL * 2.5), keep=frozenset({one.id}), idle_unload_seconds=0.05) as host:
        host.load(one)
        host.load(two)
        host.load(third)
        host.wait_for_models(1)
        assert loaded(host) == ["one"]


def test_a_model_waits_until_a_busy_one_is_idle(start_host: Callable[..., Any], three: list[ModelRef]) -> None:
    one, two, _ = three
    with start_host(memory_budget_bytes=int(SMALL * 1.5)) as host:
        host.load(one)
        running = host.start(one, max_tokens=300, **GREEDY)
        host.send(Load("two", two))
        assert host.answer(running).finished.usage.completion_tokens == 300
        waiting = host.answer("two")
        assert any(isinstance(event, LoadProgress) and "waits for memory" in event.text for event in waiting.events)
        assert loaded(host) == ["two"]


def test_a_model_that_is_larger_than_the_budget_is_refused_with_both_sizes(
    start_host: Callable[..., Any], llama: ModelRef
) -> None:
    with start_host(memory_budget_bytes=300_000) as host:
        failed = host.load(llama).failed
        assert failed.kind == "out_of_memory"
        assert "449 KB" in failed.message
        assert "300 KB" in failed.message


def test_kept_models_that_leave_no_room_are_an_error(start_host: Callable[..., Any], three: list[ModelRef]) -> None:
    one, two, _ = three
    with start_host(memory_budget_bytes=int(SMALL * 1.5), keep=frozenset({one.id})) as host:
        host.load(one)
        assert host.load(two).failed.kind == "out_of_memory"
        assert loaded(host) == ["one"]


def test_an_idle_model_goes_and_a_busy_one_stays(start_host: Callable[..., Any], three: list[ModelRef]) -> None:
    one, two, _ = three
    with start_host(idle_unload_seconds=0.3) as host:
        host.load(two)
        running = host.start(one, max_tokens=250, **GREEDY)
        assert host.answer(running).finished.usage.completion_tokens == 250
        host.wait_for_models(0)
        assert host.generate(one, max_tokens=1).finished.usage.completion_tokens == 1, (
            "it comes back when it is asked for"
        )


def test_unloading_gives_the_memory_back(start_host: Callable[..., Any], big: ModelRef, llama: ModelRef) -> None:
    with start_host() as host:
        host.generate(llama, max_tokens=1)  # everything that is imported once is in memory now
        process = psutil.Process(host.process.pid)
        before = process.memory_info().rss
        host.generate(big, max_tokens=2, **GREEDY)
        during = process.memory_info().rss
        host.unload(big)
        after = process.memory_info().rss
    assert during - before > BIG
    assert after - before < BIG / 10


def test_a_request_that_left_while_its_model_waited_for_memory_costs_nothing(
    start_host: Callable[..., Any], three: list[ModelRef]
) -> None:
    one, two, third = three
    with start_host(memory_budget_bytes=int(SMALL * 1.5)) as host:
        host.load(one)
        running = host.start(one, max_tokens=300, **GREEDY)
        host.send(Run("gone", two, Generate(TextPrompt("hello"), Sampling())))
        host.cancel("gone")
        host.answer(running)
        host.load(third)
        assert loaded(host) == ["three"]
