"""What it costs to read a piece of a prompt, the more of it the further back its tokens look: learned from the steps.

A step that reads the first tokens of a text tells how long a token takes that has nothing to look back at. A step that
reads later ones is expected to take as long for what it costs; where it does not, the tokens that are looked back at
cost more, or less, than was thought. So steps take about as long however long a text becomes, on any processor.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from llamafarm_universal.host.engines.working import doubles_at, heads_for_each_key

MULTIPLE = 8
"""Tokens of a piece: attention computes so many rows at once, and what is missing is computed in vain."""
_FIRST_TOKENS = 512
_SAMPLES = 8
"""The middle of so many is believed: a step may take long because the machine has other things to do."""


@dataclass(frozen=True)
class Piece:
    """Tokens of a prompt that are read in a step. stored: how many of the prompt have been read before."""

    count: int
    stored: int


class ReadingCost:
    """Costs are counted in first tokens of a text.

    doubles_at: behind so many others a token costs twice what the first one does; what is taken for it at first.
    rows: that attention has for each token, one for each head that shares a key.
    """

    def __init__(self, doubles_at: float = math.inf, rows: int = 1) -> None:
        self._multiple = -(-MULTIPLE // rows)
        self._seconds: deque[float] = deque(maxlen=_SAMPLES)  # that a first token takes
        self._share: deque[float] = deque([1 / doubles_at], maxlen=_SAMPLES)  # that each token costs that stands before

    @classmethod
    def estimated(cls, config: Mapping[str, Any], parameters: int) -> ReadingCost:
        """What it costs a model, by its configuration and the number of its parameters."""
        return cls(doubles_at(config, parameters), heads_for_each_key(config))

    def of(self, piece: Piece) -> float:
        return piece.count * (1 + piece.stored * median(self._share))

    def affordable(self, cost: float, stored: int, least: int = 1) -> int:
        """How many tokens behind so many others can be read for about such a cost; so many at least.

        Rounded to what is nearest: what a step takes whatever it reads makes the tokens of small pieces seem dear, so
        that pieces that have become a little too small would stay so.
        """
        count = cost / self.of(Piece(1, stored))
        return max(least, self._multiple, round(count / self._multiple) * self._multiple)

    def observe(self, pieces: Sequence[Piece], seconds: float) -> None:
        """A step has read such pieces. Only steps that are alike but for their pieces may be observed."""
        if all(piece.stored < _FIRST_TOKENS for piece in pieces):
            self._seconds.append(seconds / sum(map(self.of, pieces)))
        elif self._seconds:
            cost = seconds / median(self._seconds)
            looking_back = max(0.0, cost - sum(piece.count for piece in pieces))
            self._share.append(looking_back / sum(piece.count * piece.stored for piece in pieces))
