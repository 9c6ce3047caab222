"""Prometheus' text format.

Source: Prometheus, "Exposition formats", version 0.0.4 of the text-based format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from llamafarm_universal.messages.statistics import Labels, Observations

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "llamafarm:"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True)
class Family:
    """A metric with its values, each with its labels. help: a sentence; none where it is empty."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str = ""
    values: Sequence[tuple[Labels, float | Observations]] = ()

    def lines(self) -> Iterable[str]:
        if self.help:
            yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.values:
            if isinstance(value, Observations):
                yield from _buckets(self.name, labels, value)
            else:
                yield _sample(self.name, labels, value)


def render(families: Iterable[Family]) -> str:
    """The whole text; families without values are left out."""
    return "".join(f"{line}\n" for family in families if family.values for line in family.lines())


def _buckets(name: str, labels: Labels, observations: Observations) -> Iterable[str]:
    """Each bucket holds those below it, too."""
    count = 0
    bounds = (*map(_number, observations.bounds), "+Inf")
    for bound, more in zip(bounds, observations.counts, strict=True):
        count += more
        yield _sample(f"{name}_bucket", (*labels, ("le", bound)), count)
    yield _sample(f"{name}_sum", labels, observations.total)
    yield _sample(f"{name}_count", labels, count)


def _sample(name: str, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels)
    return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _number(value: float) -> str:
    """Whole numbers without a point: counters stay readable."""
    return f"{value:.0f}" if float(value).is_integer() else repr(float(value))
