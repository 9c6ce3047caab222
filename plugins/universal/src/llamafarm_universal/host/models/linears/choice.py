"""Which form of a linear layer pays, given how long each takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, permutations

from llamafarm_universal.host.models.linears.trial import ROWS, Times

ORIGINAL = "plain"
LEAST_GAIN = 1.05
"""By so much a form must beat torch's own way, and two that share a weight one alone."""
GAIN_OF_A_COPY = 1.5
"""By so much two forms must beat one where each holds the weight: a model twice as large has to be worth it."""
_SHARING = ({"plain", "widened"}, {"int4", "int4 widened"})
_MOST = [round(math.sqrt(few * many)) for few, many in pairwise(ROWS)]


@dataclass(frozen=True)
class Choice:
    """few: the form for up to `most` rows. many: that for more; None: `few` is for all."""

    few: str
    many: str | None = None
    most: int = 0


def choose(times: Times) -> Choice:
    """The form, or the two, whose times are least, seen over all of ROWS.

    A form's cost is the geometric mean of how many times as long as the fastest it takes at each of ROWS. What is less
    simple than torch's own way, or than one form, must be worth it: see LEAST_GAIN and GAIN_OF_A_COPY. Raises
    LookupError where no form works here.
    """
    if not times:
        raise LookupError("no form of a linear layer works on this processor")
    offers = [(Choice(name), 1.0 if name == ORIGINAL else LEAST_GAIN) for name in times]
    offers += [(Choice(few, many, most), _gain(few, many)) for few, many in permutations(times, 2) for most in _MOST]
    return min(offers, key=lambda offer: _cost(offer[0], times) * offer[1])[0]


def _gain(few: str, many: str) -> float:
    share = any({few, many} <= forms for forms in _SHARING)
    return LEAST_GAIN**2 if share else LEAST_GAIN * GAIN_OF_A_COPY


def _cost(choice: Choice, times: Times) -> float:
    taken = (_time(choice, rows, times) for rows in ROWS)
    least = (min(of[at] for of in times.values()) for at in range(len(ROWS)))
    return math.exp(sum(math.log(each / fastest) for each, fastest in zip(taken, least, strict=True)) / len(ROWS))


def _time(choice: Choice, rows: int, times: Times) -> float:
    name = choice.few if choice.many is None or rows <= choice.most else choice.many
    return times[name][ROWS.index(rows)]
