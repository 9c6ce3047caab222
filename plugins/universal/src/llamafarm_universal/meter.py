"""What an engine counts, for the runtime's /metrics.

An engine with an attribute `meter` is asked for it once a second at most, on the thread that steps it. Counting costs
next to nothing: a number is added, and nothing leaves the process until then.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from llamafarm_universal.messages.model import ModelRef
from llamafarm_universal.messages.statistics import Labels, Observations, Stats

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass
class _Buckets:
    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0


class Meter:
    """Numbers by name, as Prometheus writes names: small letters, digits and `_`, the unit last.

    `/metrics` puts `llamafarm:` before them and `_total` behind those of counters; the model is a label.
    """

    def __init__(self) -> None:
        self._gauges: dict[str, Callable[[], float]] = {}
        self._counters: dict[tuple[str, Labels], float] = {}
        self._observations: dict[str, _Buckets] = {}
        self._last: dict[str, float] = {}

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Have a number read whenever the meter is."""
        self._gauges[_checked(name)] = read

    def histogram(self, name: str, bounds: tuple[float, ...]) -> None:
        """Have values of that name counted in buckets with these upper bounds, ascending."""
        self._observations[_checked(name)] = _Buckets(bounds, [0] * (len(bounds) + 1))

    def count(self, name: str, number: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = (name, tuple(labels.items()))
        if key not in self._counters:
            _checked(name)
        self._counters[key] = self._counters.get(key, 0) + number

    def observe(self, name: str, value: float, times: int = 1) -> None:
        """Count a value, which has come so many times, in a histogram."""
        buckets = self._observations[name]
        buckets.counts[bisect_left(buckets.bounds, value)] += times
        buckets.total += value * times

    def take(self, ref: ModelRef) -> Stats | None:
        """What has been counted since the last time; None where nothing has changed."""
        gauges = {name: read() for name, read in self._gauges.items()}
        counters = {key: number for key, number in self._counters.items() if number}
        observations = {
            name: Observations(own.bounds, tuple(own.counts), own.total)
            for name, own in self._observations.items()
            if any(own.counts)
        }
        if not counters and not observations and gauges == self._last:
            return None
        self._last = gauges
        self._counters = dict.fromkeys(self._counters, 0.0)
        for name in observations:
            self.histogram(name, self._observations[name].bounds)
        return Stats(ref, gauges, counters, observations)


@runtime_checkable
class Metered(Protocol):
    """An engine that counts what it does."""

    meter: Meter


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a metric: small letters, digits and _")
    return name
