"""What the text engine counts. Names, units and buckets are vLLM's, so that what is drawn for one fits the other.

Source: vLLM, "Production metrics" and `vllm/v1/metrics/loggers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from llamafarm_universal.meter import Meter

FIRST_TOKEN = "time_to_first_token_seconds"  # noqa: S105 - a metric
BETWEEN_TOKENS = "inter_token_latency_seconds"
WHOLE = "e2e_request_latency_seconds"
_SLOW = (0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0)
FIRST_TOKEN_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, *_SLOW)
BETWEEN_TOKENS_BOUNDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
                         40.0, 80.0)  # fmt: skip
WHOLE_BOUNDS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
                960.0, 1920.0, 7680.0)  # fmt: skip


class TextMeter(Meter):
    """running and waiting: how many answers. cache_usage: of the KV cache, 0 to 1, where it is shared out in blocks."""

    def __init__(
        self, running: Callable[[], int], waiting: Callable[[], int], cache_usage: Callable[[], float] | None = None
    ) -> None:
        super().__init__()
        self._times: WeakKeyDictionary[object, _Times] = WeakKeyDictionary()
        self.gauge("num_requests_running", running)
        self.gauge("num_requests_waiting", waiting)
        if cache_usage is not None:
            self.gauge("kv_cache_usage_perc", cache_usage)
        self.histogram(FIRST_TOKEN, FIRST_TOKEN_BOUNDS)
        self.histogram(BETWEEN_TOKENS, BETWEEN_TOKENS_BOUNDS)
        self.histogram(WHOLE, WHOLE_BOUNDS)

    def begin(self, answer: object) -> None:
        """An answer is asked for: its time begins. It is told from others as an object, and forgotten with it."""
        self._times[answer] = _Times(time.perf_counter())

    def tokens(self, answer: object, number: int = 1) -> None:
        """So many tokens of an answer have come, in one step."""
        times, now = self._times[answer], time.perf_counter()
        self.count("generation_tokens", number)
        if times.last is None:
            self.observe(FIRST_TOKEN, now - times.began)
        else:
            self.observe(BETWEEN_TOKENS, (now - times.last) / number, number)
        times.last = now

    def ended(self, answer: object, reason: str) -> None:
        """An answer is whole."""
        self.count("request_success", finished_reason=reason)
        self.observe(WHOLE, time.perf_counter() - self._times[answer].began)

    def prompt(self, tokens: int, cached: int = 0) -> None:
        """A prompt has been read; so many of its tokens were in the cache already."""
        self.count("prompt_tokens", tokens)
        self.count("prefix_cache_queries", tokens)
        self.count("prefix_cache_hits", cached)

    def preempted(self) -> None:
        """A running answer had to make room, and goes on later."""
        self.count("num_preemptions")

    def speculated(self, method: str, drafted: int, accepted: int) -> None:
        """So many tokens were guessed ahead for one step, and so many of them were right."""
        self.count("spec_decode_num_drafts", method=method)
        self.count("spec_decode_num_draft_tokens", drafted, method=method)
        self.count("spec_decode_num_accepted_tokens", accepted, method=method)


@dataclass(slots=True)
class _Times:
    began: float
    last: float | None = None
