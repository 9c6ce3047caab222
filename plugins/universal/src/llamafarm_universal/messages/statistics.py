"""What an engine has counted, on its way from a host to the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llamafarm_universal.messages.model import ModelRef

Labels = tuple[tuple[str, str], ...]
"""Pairs of a name and a value, in the order in which they are shown."""


@dataclass(frozen=True)
class Observations:
    """Values, counted in buckets. counts: how many lie in the bucket up to each bound, and last those beyond all."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    def __add__(self, other: Observations) -> Observations:
        """Both together; their bounds are the same."""
        counts = tuple(own + more for own, more in zip(self.counts, other.counts, strict=True))
        return Observations(self.bounds, counts, self.total + other.total)


@dataclass(frozen=True)
class Stats:
    """How the engine of one model is now, and what it has counted since its last Stats, each by name."""

    ref: ModelRef
    gauges: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[tuple[str, Labels], float] = field(default_factory=dict)
    observations: Mapping[str, Observations] = field(default_factory=dict)
