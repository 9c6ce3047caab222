"""What engines count, as the host tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from llamafarm_universal.messages import ModelRef

GREEDY: dict[str, Any] = {"temperature": 0, "logit_bias": {2: -100.0}}  # as long as max_tokens


def counted(host: Any, ref: ModelRef) -> Counter[str]:
    """All that was told of a model, whatever its labels."""
    counts: Counter[str] = Counter()
    for stats in host.stats:
        for (name, _), number in stats.counters.items():
            counts[name] += number if stats.ref == ref else 0
    return counts


def test_what_was_counted_is_told_until_the_model_is_gone(start_host: Callable[..., Any], llama: ModelRef) -> None:
    with start_host() as host:
        tokens = host.generate(llama, "hello", max_tokens=7, **GREEDY).finished.usage
        host.start(llama, "hello", max_tokens=900, **GREEDY)
        host.wait_for_acceptance(1)
        host.unload(llama)
        counts = counted(host, llama)
        assert counts["request_success"] == 1
        assert counts["prompt_tokens"] in (tokens.prompt_tokens, 2 * tokens.prompt_tokens)
        assert counts["generation_tokens"] >= 7
        assert set(host.stats[-1].gauges) == {"num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"}
        assert not any(host.stats[-1].gauges.values())


def test_a_long_answer_is_told_about_while_it_is_made(start_host: Callable[..., Any], llama: ModelRef) -> None:
    with start_host() as host:
        host.start(llama, "hello", n=2, max_tokens=1000, **GREEDY)
        while not any(stats.gauges["num_requests_running"] == 2 for stats in host.stats):
            host._receive()
