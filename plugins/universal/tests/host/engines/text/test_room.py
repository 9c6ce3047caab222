"""What may be used is shared out: to the states of texts first, then to keys and values."""

from __future__ import annotations

from pathlib import Path

import language_models as models
import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.flat_runner import FlatRunner
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS
from llamafarm_universal.host.engines.text.room import allocated, most_running
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.text.state_runner import StateRunner
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.plan import LoadPlan

PLAN = LoadPlan(ModelRef("org/model"), Path(), {}, "text", "cpu", "fp32", 0)


@pytest.fixture(scope="module")
def pure() -> Runner:
    return StateRunner(models.build("Mamba2"), "cpu")


@pytest.fixture(scope="module")
def hybrid() -> Runner:
    return StateRunner(models.build("Jamba"), "cpu")


def test_as_many_texts_run_as_there_is_room_for_their_states(pure: Runner) -> None:
    assert most_running(PLAN, pure, 5 * pure.text_bytes + 1) == 5
    assert most_running(PLAN, pure, 2**40) == PLAN.limits.sequences(PLAN.device)


def test_a_text_of_states_alone_may_be_as_long_as_it_likes(pure: Runner) -> None:
    assert allocated(PLAN, pure, pure.text_bytes, running=1).capacity > 1_000_000 / BLOCK_TOKENS


def test_keys_and_values_get_what_states_leave_half_of_it_at_least(hybrid: Runner) -> None:
    block = hybrid.token_bytes * BLOCK_TOKENS
    grant = 2 * (6 * hybrid.text_bytes)
    assert most_running(PLAN, hybrid, grant) == 6
    assert allocated(PLAN, hybrid, grant, running=6).capacity == grant // 2 // block


def test_without_states_all_is_for_keys_and_values() -> None:
    runner = FlatRunner(models.build("Llama"), "cpu")
    grant = 10 * runner.token_bytes * BLOCK_TOKENS
    running = most_running(PLAN, runner, grant)
    assert running == PLAN.limits.sequences(PLAN.device)
    assert allocated(PLAN, runner, grant, running).capacity == 10


def test_where_nothing_could_be_estimated_texts_run_all_the_same(pure: Runner, hybrid: Runner) -> None:
    for runner in (pure, hybrid):
        running = most_running(PLAN, runner, 0)
        assert running == PLAN.limits.sequences(PLAN.device)
        assert allocated(PLAN, runner, 0, running).capacity >= 512


def test_what_has_no_room_for_one_text_is_refused_with_both_sizes(pure: Runner, hybrid: Runner) -> None:
    with pytest.raises(RequestFailed, match="for the shortest text") as failed:
        most_running(PLAN, pure, pure.text_bytes - 1)
    assert failed.value.kind == "out_of_memory"
    with pytest.raises(RequestFailed):
        allocated(PLAN, hybrid, hybrid.text_bytes, running=1)
