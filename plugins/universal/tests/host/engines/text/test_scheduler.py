"""Which sequence advances when."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.detokenize import Detokenizer
from llamafarm_universal.host.engines.text.parse import Parser
from llamafarm_universal.host.engines.text.sampling import Sampler, Settings
from llamafarm_universal.host.engines.text.scheduler import Scheduler
from llamafarm_universal.host.engines.text.sequence import Sequence
from llamafarm_universal.host.engines.text.stop import StopStage
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary


@pytest.fixture
def sequences(tokenizer: Any) -> Any:
    def make(request_id: str, count: int = 1, prompt: int = 4) -> list[Sequence]:
        return [
            Sequence(
                request_id,
                index,
                [5] * prompt,
                10,
                Sampler(Settings(), ()),
                Detokenizer(Vocabulary(tokenizer)),
                Parser([], StopStage()),
            )
            for index in range(count)
        ]

    return make


def read(scheduler: Scheduler) -> Sequence:
    """Read a whole prompt."""
    sequence = scheduler.to_prefill()
    assert sequence is not None
    sequence.done = len(sequence.prompt)
    scheduler.prefilled(sequence)
    return sequence


def test_prompts_are_read_one_at_a_time_in_turn(sequences: Any) -> None:
    scheduler = Scheduler(4, 4)
    for name in "abc":
        scheduler.add(sequences(name))
    order = [scheduler.to_prefill() for _ in range(5)]
    assert [sequence.request_id for sequence in order if sequence] == list("abcab")


def test_a_sequence_decodes_once_its_prompt_is_read(sequences: Any) -> None:
    scheduler = Scheduler(4, 4)
    scheduler.add(sequences("a"))
    scheduler.add(sequences("b"))
    assert scheduler.to_decode() == []
    first = read(scheduler)
    assert scheduler.to_decode() == [first]


def test_a_request_for_many_answers_does_not_keep_others_out(sequences: Any) -> None:
    scheduler = Scheduler(2, 16)
    scheduler.add(sequences("many", 8))
    scheduler.add(sequences("one"))
    scheduler.remove("many", read(scheduler).index)
    scheduler.remove("many", read(scheduler).index)
    entered = {read(scheduler).request_id, read(scheduler).request_id}
    assert entered == {"many", "one"}


def test_a_cancelled_request_makes_room_at_once(sequences: Any) -> None:
    scheduler = Scheduler(1, 4)
    scheduler.add(sequences("a"))
    scheduler.add(sequences("b"))
    scheduler.remove("a")
    assert read(scheduler).request_id == "b"
    assert not scheduler.holds("a")
    scheduler.remove("b")
    assert not scheduler.has_work


def test_the_queue_is_bounded(sequences: Any) -> None:
    scheduler = Scheduler(1, 2)
    scheduler.add(sequences("a", 3))
    with pytest.raises(RequestFailed) as caught:
        scheduler.add(sequences("b"))
    assert caught.value.kind == "busy"
    scheduler.remove("a", 0)
    scheduler.add(sequences("b"))
