"""What the text engine counts, through a real host."""

from __future__ import annotations

from typing import Any

import pytest
from llamafarm_universal.engine import Meter
from llamafarm_universal.host.engines.text import text_meter
from llamafarm_universal.host.engines.text.text_meter import BETWEEN_TOKENS, FIRST_TOKEN, WHOLE, TextMeter
from llamafarm_universal.messages import ModelRef
from llamafarm_universal.server.statistics import HELP


class Answer:
    """Told from others by what it is."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(text_meter.time, "perf_counter", lambda: now[0])
    return now


def test_the_first_token_is_timed_from_the_beginning_and_others_from_the_one_before(clock: list[float]) -> None:
    meter, answer = TextMeter(lambda: 1, lambda: 0), Answer()
    meter.begin(answer)
    for later in (0.3, 0.02, 0.02):
        clock[0] += later
        meter.tokens(answer)
    meter.ended(answer, "length")
    seen = meter.take(ModelRef("m"))
    assert seen
    assert {name: (sum(own.counts), round(own.total, 6)) for name, own in seen.observations.items()} == {
        FIRST_TOKEN: (1, 0.3),
        BETWEEN_TOKENS: (2, 0.04),
        WHOLE: (1, 0.34),
    }
    assert seen.counters == {("generation_tokens", ()): 3, ("request_success", (("finished_reason", "length"),)): 1}


def test_tokens_that_come_together_share_the_time_since_the_last_ones(clock: list[float]) -> None:
    meter, answer = TextMeter(lambda: 1, lambda: 0), Answer()
    meter.begin(answer)
    meter.tokens(answer)
    clock[0] += 0.3
    meter.tokens(answer, 3)
    seen = meter.take(ModelRef("m"))
    assert seen
    between = seen.observations[BETWEEN_TOKENS]
    assert between.counts[between.bounds.index(0.1)] == 3
    assert round(between.total, 6) == 0.3


def test_a_prompt_counts_what_was_in_the_cache() -> None:
    meter = TextMeter(lambda: 0, lambda: 0, lambda: 0.25)
    meter.prompt(100, cached=64)
    meter.speculated("ngram", 8, 5)
    meter.preempted()
    seen = meter.take(ModelRef("m"))
    assert seen
    assert {name: number for (name, _), number in seen.counters.items()} == {
        "prompt_tokens": 100,
        "prefix_cache_queries": 100,
        "prefix_cache_hits": 64,
        "spec_decode_num_drafts": 1,
        "spec_decode_num_draft_tokens": 8,
        "spec_decode_num_accepted_tokens": 5,
        "num_preemptions": 1,
    }
    assert seen.gauges["kv_cache_usage_perc"] == 0.25


def test_an_answer_that_is_gone_is_forgotten() -> None:
    meter: Any = TextMeter(lambda: 0, lambda: 0)
    answer = Answer()
    meter.begin(answer)
    del answer
    assert isinstance(meter, Meter) and not len(meter._times)


def test_all_that_is_counted_is_explained() -> None:
    meter, answer = TextMeter(lambda: 0, lambda: 0, lambda: 0.0), Answer()
    meter.begin(answer)
    meter.prompt(3, 1)
    meter.tokens(answer)
    meter.tokens(answer)
    meter.preempted()
    meter.speculated("ngram", 4, 2)
    meter.ended(answer, "stop")
    stats = meter.take(ModelRef("a"))
    assert stats is not None
    told = {*stats.gauges, *stats.observations, *(name for name, _ in stats.counters)}
    assert told == HELP.keys()
