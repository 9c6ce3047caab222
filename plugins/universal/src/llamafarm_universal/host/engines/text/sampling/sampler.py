"""What one sequence needs to choose its tokens: settings, its own random numbers, and what has come so far."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from llamafarm_universal.host.engines.text.sampling.bias import Bias
from llamafarm_universal.host.engines.text.sampling.history import History
from llamafarm_universal.host.engines.text.sampling.settings import Settings

Kind = Literal["greedy", "open", "few", "trial", "typical", "ordered"]
"""How a token is chosen: the likeliest; drawn from all; from a few that are put in order; by trial, where top_p alone
leaves many; from those that typical_p leaves; from however many that are put in order. See `draws`.
"""
MOST_CANDIDATES = 256
"""So many tokens are put in order at first, for `top_p`: of a whole vocabulary that takes two hundred times as long."""
_GREEDY = 1e-5  # below this temperature drawing and taking the likeliest are the same, but for overflow
_STEPS = 2**24  # as many different numbers as float32 has from 0.5 to 1, twice


class Sampler:
    """The state of one sequence's sampling.

    prompt: its token ids, which the repetition penalty counts. offset: added to the seed, to tell the sequences of one
    request apart. history, bias: None where no setting needs them.
    """

    def __init__(self, settings: Settings, prompt: Sequence[int], offset: int = 0) -> None:
        self.settings = settings
        self.history = History(settings, prompt) if settings.penalises else None
        self.bias = Bias(settings, prompt) if settings.biases else None
        self._key = os.urandom(16) if settings.seed is None else (settings.seed + offset).to_bytes(16, signed=True)
        self.kind: Kind = _kind(settings)
        self.kind_of_many: Kind = "trial" if settings.typical_p == 1 else "ordered"
        """What has to be done where top_p leaves more than a few tokens."""
        self._position = 0

    @property
    def changes_logits(self) -> bool:
        return self.history is not None or self.bias is not None

    def uniforms(self, trial: int = 0) -> tuple[float, float]:
        """Two random numbers from 0 up to 1, for the position that comes next.

        They are made of the seed, the position and the trial alone: what has been drawn before, and what else runs,
        changes nothing.
        """
        digest = blake2b(self._position.to_bytes(8) + trial.to_bytes(8), key=self._key, digest_size=6).digest()
        return int.from_bytes(digest[:3]) / _STEPS, int.from_bytes(digest[3:]) / _STEPS

    def ahead(self, steps: int) -> Sampler:
        """The sampler as it will be so many tokens later; only of one that does not change logits."""
        if not steps:
            return self
        later = copy.copy(self)
        later._position += steps
        return later

    def add(self, token: int) -> None:
        """Take the next token of the answer into account."""
        self._position += 1
        if self.history:
            self.history.add(token)
        if self.bias:
            self.bias.add(token)


def _kind(settings: Settings) -> Kind:
    if settings.temperature < _GREEDY or settings.top_k == 1 or settings.top_p == 0:
        return "greedy"
    if settings.top_k > MOST_CANDIDATES:
        return "ordered"
    if settings.top_k or settings.top_p < 1:
        return "few"
    return "typical" if settings.typical_p < 1 else "open"
