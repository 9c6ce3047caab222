"""What hosts tell, added up."""

from __future__ import annotations

from llamafarm_universal.messages import LoadSettings, ModelRef
from llamafarm_universal.messages.statistics import Observations, Stats
from llamafarm_universal.server.exposition import render
from llamafarm_universal.server.handles import handle_of
from llamafarm_universal.server.statistics import Statistics

REF = ModelRef("org/model")
STATS = Stats(
    REF,
    {"num_requests_running": 2, "num_requests_waiting": 1},
    {("generation_tokens", ()): 5, ("request_success", (("finished_reason", "stop"),)): 1},
    {"inter_token_latency_seconds": Observations((0.1,), (3, 1), 0.5)},
)


def lines(statistics: Statistics, loaded=(REF,), waiting=None) -> list[str]:
    text = render(statistics.families(set(loaded), waiting or {}, handle_of))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_counters_and_histograms_grow_and_gauges_are_the_last_ones():
    statistics = Statistics()
    statistics.add(STATS)
    statistics.add(Stats(REF, {"num_requests_running": 3}, dict(STATS.counters), dict(STATS.observations)))
    assert lines(statistics) == [
        'llamafarm:num_requests_running{model_name="org/model"} 3',
        'llamafarm:generation_tokens_total{model_name="org/model"} 10',
        'llamafarm:request_success_total{model_name="org/model",finished_reason="stop"} 2',
        'llamafarm:inter_token_latency_seconds_bucket{model_name="org/model",le="0.1"} 6',
        'llamafarm:inter_token_latency_seconds_bucket{model_name="org/model",le="+Inf"} 8',
        'llamafarm:inter_token_latency_seconds_sum{model_name="org/model"} 1',
        'llamafarm:inter_token_latency_seconds_count{model_name="org/model"} 8',
    ]


def test_what_was_counted_of_a_model_stays_when_it_is_unloaded_and_its_present_goes():
    statistics = Statistics()
    statistics.add(STATS)
    told = lines(statistics, loaded=())
    assert 'llamafarm:generation_tokens_total{model_name="org/model"} 5' in told
    assert not any("num_requests" in line for line in told)


def test_those_who_wait_before_the_engine_wait_too():
    statistics = Statistics()
    statistics.add(STATS)
    other = ModelRef("org/other", LoadSettings(dtype="fp32"))
    told = lines(statistics, waiting={REF: 4, other: 7})
    assert 'llamafarm:num_requests_waiting{model_name="org/model"} 5' in told
    assert 'llamafarm:num_requests_waiting{model_name="org/other@dtype=fp32"} 7' in told
