"""What the engines have counted, of all models since the server began."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from llamafarm_universal.messages import ModelRef
from llamafarm_universal.messages.statistics import Labels, Observations, Stats
from llamafarm_universal.server.exposition import PREFIX, Family

HELP = {
    "num_requests_running": "Answers that are being generated.",
    "num_requests_waiting": "Answers that wait for their turn, at the engine or in the queue before it.",
    "kv_cache_usage_perc": "Share of the KV cache that is in use, 0 to 1.",
    "prompt_tokens": "Tokens of prompts that have been read.",
    "generation_tokens": "Tokens that have been generated.",
    "prefix_cache_queries": "Tokens of prompts that were looked for in the prefix cache.",
    "prefix_cache_hits": "Tokens of prompts that were found in the prefix cache.",
    "num_preemptions": "Running answers that had to make room for others.",
    "spec_decode_num_drafts": "Steps in which tokens were guessed ahead.",
    "spec_decode_num_draft_tokens": "Tokens that were guessed ahead.",
    "spec_decode_num_accepted_tokens": "Tokens that were guessed ahead and were right.",
    "request_success": "Answers that are whole, by why they ended.",
    "time_to_first_token_seconds": "From an answer's arrival at the engine to its first token.",
    "inter_token_latency_seconds": "Between one token of an answer and the next.",
    "e2e_request_latency_seconds": "From an answer's arrival at the engine to its last token.",
}


class Statistics:
    """Counters never fall while the server runs, whatever becomes of hosts and models."""

    def __init__(self) -> None:
        self._gauges: dict[ModelRef, dict[str, float]] = {}
        self._counters: dict[tuple[ModelRef, str, Labels], float] = {}
        self._observations: dict[tuple[ModelRef, str], Observations] = {}

    def add(self, stats: Stats) -> None:
        """Take what a host tells."""
        ref = stats.ref
        self._gauges[ref] = dict(stats.gauges)
        for (name, labels), number in stats.counters.items():
            key = (ref, name, labels)
            self._counters[key] = self._counters.get(key, 0) + number
        for name, more in stats.observations.items():
            known = self._observations.get((ref, name))
            self._observations[ref, name] = more if known is None else known + more

    def families(
        self, loaded: Collection[ModelRef], waiting: Mapping[ModelRef, int], label: Callable[[ModelRef], str]
    ) -> Iterator[Family]:
        """All metrics. loaded: models that have a present. waiting: answers in the queues. label: a model's name."""
        gauges = self._present(loaded, waiting)
        for name in sorted({name for own in gauges.values() for name in own}):
            values = [(_labels(label(ref)), own[name]) for ref, own in gauges.items() if name in own]
            yield Family(f"{PREFIX}{name}", "gauge", HELP.get(name, ""), values)
        for name in sorted({name for _, name, _ in self._counters}):
            values = [
                ((*_labels(label(ref)), *labels), number)
                for (ref, own, labels), number in self._counters.items()
                if own == name
            ]
            yield Family(f"{PREFIX}{name}_total", "counter", HELP.get(name, ""), values)
        for name in sorted({name for _, name in self._observations}):
            seen = [(_labels(label(ref)), values) for (ref, own), values in self._observations.items() if own == name]
            yield Family(f"{PREFIX}{name}", "histogram", HELP.get(name, ""), seen)

    def _present(
        self, loaded: Collection[ModelRef], waiting: Mapping[ModelRef, int]
    ) -> dict[ModelRef, dict[str, float]]:
        gauges = {ref: dict(own) for ref, own in self._gauges.items() if ref in loaded}
        for ref, number in waiting.items():
            own = gauges.setdefault(ref, {})
            own["num_requests_waiting"] = own.get("num_requests_waiting", 0) + number
        return gauges


def _labels(model: str) -> Labels:
    return (("model_name", model),)
