"""Which sequence advances when, and whose blocks it holds meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.context import Context
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, KVCache
from llamafarm_universal.host.engines.text.parse import Parser
from llamafarm_universal.host.engines.text.reading_cost import ReadingCost
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings
from llamafarm_universal.host.engines.text.scheduler import Advance, Scheduler, SchedulerLimits
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary

Make = Callable[..., list[Sequence]]


@pytest.fixture
def sequences(tokenizer: Any) -> Make:
    """The answers to one request. Prompts of different requests have nothing in common."""
    vocabulary = Vocabulary(tokenizer)

    def make(request_id: str, count: int = 1, prompt: int = 4) -> list[Sequence]:
        made: list[Sequence] = []
        for index in range(count):
            context = Context([ord(request_id), *[5] * (prompt - 1)])
            parts = Sampler(Settings(), ()), Detokenizer(vocabulary), Parser([], StopStage())
            made.append(Sequence(request_id, index, context, 1000, *parts, first=made[0] if made else None))
        return made

    return make


def scheduler_of(
    running: int = 4, waiting: int = 4, step: int | None = 100, blocks: int = 1000, doubles_at: float = math.inf
) -> Scheduler:
    return Scheduler(KVCache(blocks), SchedulerLimits(running, waiting, step), ReadingCost(doubles_at, rows=2))


def step(scheduler: Scheduler, seconds: Callable[[Advance], float] = lambda _: 1.0) -> list[tuple[str, int]]:
    """Do what is planned; each sequence that is complete gets a token. seconds: what an advance takes."""
    advances = scheduler.plan()
    taken = sum(map(seconds, advances))
    completing = [advance.sequence for advance in advances if advance.reading.completes]
    for advance in advances:
        scheduler.advanced(advance)
    scheduler.took(advances, taken)
    for sequence in completing:
        sequence.context.tokens.append(7)
        sequence.count += 1
    return [_named(advance) for advance in advances]


def _named(advance: Advance) -> tuple[str, int]:
    index = advance.sequence.index
    return f"{advance.sequence.request_id}{index or ''}", advance.count


def test_prompts_are_read_in_the_order_in_which_they_came(sequences: Make) -> None:
    scheduler = scheduler_of(step=12)
    for name, prompt in (("a", 91), ("b", 1), ("c", 8)):
        scheduler.add(sequences(name, prompt=prompt))
    assert step(scheduler) == [("a", 48)]  # four times as much as beside answers that go on
    assert step(scheduler) == [("a", 43), ("b", 1), ("c", 4)]
    assert step(scheduler) == [("a", 1), ("b", 1), ("c", 4)]


def test_a_long_prompt_holds_up_nobody_who_is_answering(sequences: Make) -> None:
    scheduler = scheduler_of(step=12)
    scheduler.add(sequences("a"))
    step(scheduler)
    scheduler.add(sequences("b", prompt=1000))
    for _ in range(5):
        assert step(scheduler) == [("a", 1), ("b", 12)]


def test_the_pieces_of_a_long_prompt_become_smaller_as_each_token_costs_more(sequences: Make) -> None:
    scheduler = scheduler_of(doubles_at=200)
    scheduler.add(sequences("a", prompt=2000))
    pieces = [step(scheduler)[0][1] for _ in range(12)]
    assert pieces[:4] == [400, 132, 108, 96]
    stored = [sum(pieces[:at]) for at in range(12)]
    costs = [count * (1 + before / 200) for count, before in zip(pieces, stored, strict=True)]
    assert all(380 < cost < 420 for cost, count in zip(costs, pieces, strict=True) if count > 64)
    assert min(pieces) == pieces[-1] == 64  # fewer would take longer for each token, and nobody waits for the next one


def doubling_at_500(advance: Advance) -> float:
    """The seconds that reading takes on a machine where a token behind 500 others takes as long as two first ones."""
    return advance.count * (1 + advance.sequence.context.stored / 500) / 1000


def pieces_beside_an_answer(scheduler: Scheduler, sequences: Make, prompt: int) -> list[int]:
    scheduler.add(sequences("a"))
    step(scheduler)
    scheduler.add(sequences("b", prompt=prompt))
    return [steps[1][1] for steps in iter(lambda: step(scheduler, doubling_at_500), [("a", 1), ("b", 1)])]


def test_what_steps_take_that_hold_up_an_answer_tells_how_large_pieces_may_be(sequences: Make) -> None:
    pieces = pieces_beside_an_answer(scheduler_of(doubles_at=100_000), sequences, 4000)
    assert pieces[:4] == [100, 100, 100, 100]  # as it was thought
    assert max(pieces[-30:]) < 2 * 100 / (1 + 3000 / 500)  # they take less than twice as long as the first one


def test_what_a_prompt_takes_alone_tells_nothing(sequences: Make) -> None:
    scheduler = scheduler_of(doubles_at=100_000)
    scheduler.add(sequences("a", prompt=4000))
    pieces = [step(scheduler, doubling_at_500)[0][1] for _ in range(10)]
    assert min(pieces) > 380


def test_where_a_prompt_must_be_read_at_once_it_is(sequences: Make) -> None:
    scheduler = scheduler_of(step=None)
    for name in "ab":
        scheduler.add(sequences(name, prompt=1000))
    assert step(scheduler) == [("a", 1000)]
    assert step(scheduler) == [("a", 1), ("b", 1000)]
    assert step(scheduler) == [("a", 1), ("b", 1)]


def test_no_more_sequences_run_than_may(sequences: Make) -> None:
    scheduler = scheduler_of(running=2)
    for name in "abc":
        scheduler.add(sequences(name))
    assert step(scheduler) == [("a", 4), ("b", 4)]
    assert (scheduler.running, scheduler.waiting) == (2, 1)
    scheduler.remove("a")
    assert step(scheduler) == [("b", 1), ("c", 4)]


def test_a_request_for_many_answers_does_not_keep_others_out(sequences: Make) -> None:
    scheduler = scheduler_of(running=2, waiting=20)
    scheduler.add(sequences("a", 8))
    scheduler.add(sequences("b"))
    assert step(scheduler) == [("a", 4), ("b", 4)]


def test_the_answers_to_one_prompt_read_it_once(sequences: Make) -> None:
    scheduler = scheduler_of()
    scheduler.add(sequences("a", 3, prompt=4 * BLOCK_TOKENS + 2))
    assert step(scheduler) == [("a", 66)]
    assert step(scheduler) == [("a", 1), ("a1", 2), ("a2", 2)]


def test_the_answers_to_one_prompt_do_not_wait_for_one_that_has_ended(sequences: Make) -> None:
    scheduler = scheduler_of()
    scheduler.add(sequences("a", 2))
    step(scheduler)
    scheduler.remove("a", 0)
    assert step(scheduler) == [("a1", 4)]


def test_a_cancelled_request_makes_room_at_once(sequences: Make) -> None:
    scheduler = scheduler_of(running=1, blocks=2)
    scheduler.add(sequences("a", prompt=2 * BLOCK_TOKENS - 1))
    scheduler.add(sequences("b", 2, prompt=20))
    step(scheduler)
    scheduler.remove("a")
    assert not scheduler.holds("a")
    assert step(scheduler) == [("b", 20)]
    scheduler.remove("b")
    assert not scheduler.has_work
    assert scheduler.plan() == []


def test_the_queue_is_bounded(sequences: Make) -> None:
    scheduler = scheduler_of(running=1, waiting=2)
    scheduler.add(sequences("a", 3))
    with pytest.raises(RequestFailed) as failed:
        scheduler.add(sequences("b"))
    assert failed.value.kind == "busy"


def test_who_finds_no_room_waits_and_is_not_overtaken(sequences: Make) -> None:
    scheduler = scheduler_of(blocks=6)
    scheduler.add(sequences("a", prompt=3 * BLOCK_TOKENS))
    scheduler.add(sequences("b", prompt=4 * BLOCK_TOKENS))
    scheduler.add(sequences("c", prompt=4))
    assert step(scheduler) == [("a", 48)]
    assert step(scheduler) == [("a", 1)]
    scheduler.remove("a")
    assert step(scheduler) == [("b", 64), ("c", 4)]


def test_who_waits_for_room_is_looked_at_again_only_when_there_is_more(
    sequences: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    opening = KVCache.open
    monkeypatch.setattr(
        KVCache, "open", lambda cache, *given: (opened.append(len(given[0])), opening(cache, *given))[1]
    )
    scheduler = scheduler_of(blocks=6)
    scheduler.add(sequences("a", prompt=3 * BLOCK_TOKENS))
    scheduler.add(sequences("b", prompt=4 * BLOCK_TOKENS))
    for _ in range(10):
        step(scheduler)
    assert opened == [48, 64]
    scheduler.remove("a")
    assert step(scheduler) == [("b", 64)]


def test_where_room_runs_out_who_came_last_leaves_and_reads_again_later(sequences: Make) -> None:
    interruptions: list[None] = []
    scheduler = Scheduler(
        KVCache(4), SchedulerLimits(4, 4, 1000), ReadingCost(rows=2), lambda: interruptions.append(None)
    )
    scheduler.add(sequences("a", prompt=BLOCK_TOKENS + 1))
    scheduler.add(sequences("b", prompt=4))
    assert step(scheduler) == [("a", 17), ("b", 4)]
    for _ in range(BLOCK_TOKENS - 1):
        assert step(scheduler) == [("a", 1), ("b", 1)]
    assert step(scheduler) == [("a", 1)]  # its 33rd token needs the fifth block
    assert (scheduler.running, scheduler.waiting, len(interruptions)) == (1, 1, 1)
    scheduler.remove("a")
    assert step(scheduler) == [("b", 4)]  # of the 20 that it has, 16 are still there
    assert step(scheduler) == [("b", 1)]


def test_nothing_is_left_when_all_is_done(sequences: Make) -> None:
    cache = KVCache(8)
    scheduler = Scheduler(cache, SchedulerLimits(8, 8, 10), ReadingCost(rows=2))
    for name in "abcd":
        scheduler.add(sequences(name, 2, prompt=BLOCK_TOKENS * 2))
    for _ in range(60):
        step(scheduler)
    for name in "abcd":
        scheduler.remove(name)
    assert cache.free == cache.capacity
