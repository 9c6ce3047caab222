"""What is added to the logits of one sequence: wishes of the request, and tokens that may not come now."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from llamafarm_universal.host.engines.text.sampling.settings import Settings

    Addition = tuple[NDArray[np.int64], NDArray[np.float32]]
    """Tokens, and what is added to the logit of each."""

NOT_YET = -1e9
"""Added to tokens that would end an answer too early. Finite: where a grammar allows nothing but an end, it comes."""


class Bias:
    """What is added to which tokens, at each position of an answer."""

    def __init__(self, settings: Settings, prompt: Sequence[int]) -> None:
        self._always = _addition({**settings.logit_bias, **dict.fromkeys(settings.suppressed, -math.inf)})
        self._at_first = _addition(dict.fromkeys(settings.begin_suppressed, -math.inf))
        self._early = _addition(dict.fromkeys(settings.end_tokens, NOT_YET))
        self._min_tokens = settings.min_tokens
        self._phrases = Phrases(settings.sequence_bias, settings.no_repeat_ngram, prompt)
        self._written = 0

    def now(self) -> list[Addition]:
        """What is added at the position that comes next."""
        now = [
            self._always,
            *([self._at_first] if not self._written else ()),
            *([self._early] if self._written < self._min_tokens else ()),
            _addition(self._phrases.now()),
        ]
        return [addition for addition in now if len(addition[0])]

    def add(self, token: int) -> None:
        self._written += 1
        self._phrases.add(token)


class Phrases:
    """Biases on tokens that depend on those before them.

    biases: for each sequence of tokens, what is added to its last one after the others; transformers'
    `sequence_bias`, and its `bad_words_ids` with minus infinity. no_repeat: no sequence of so many tokens may come
    twice, in prompt and answer together; 0: any may.
    """

    def __init__(self, biases: Mapping[tuple[int, ...], float], no_repeat: int, prompt: Sequence[int]) -> None:
        self._after: dict[tuple[int, ...], dict[int, float]] = {}
        for (*before, token), bias in biases.items():
            self._after.setdefault(tuple(before), {})[token] = bias
        self._no_repeat = no_repeat
        self._lengths = {len(before) for before in self._after} | ({no_repeat - 1} if no_repeat else set())
        self._reach = max(self._lengths, default=0)
        self._last: list[int] = []
        for token in prompt if no_repeat else prompt[len(prompt) - min(self._reach, len(prompt)) :]:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token of the prompt or the answer."""
        if self._no_repeat and (before := self._before(self._no_repeat - 1)) is not None:
            self._after.setdefault(before, {})[token] = -math.inf
        self._last = [*self._last, token][-self._reach :] if self._reach else []

    def now(self) -> dict[int, float]:
        """What is added to which tokens after those that have come."""
        added: dict[int, float] = {}
        for length in self._lengths:
            for token, bias in self._after.get(self._before(length) or (), {}).items():
                added[token] = added.get(token, 0.0) + bias
        return added

    def _before(self, length: int) -> tuple[int, ...] | None:
        """The last tokens; None where fewer have come."""
        return tuple(self._last[len(self._last) - length :]) if length <= len(self._last) else None


def add_biases(logits: Tensor, biases: Iterable[tuple[int, Bias]]) -> None:
    """Add to some rows, in place, what their biases say. Tokens that the model cannot write are left out."""
    additions = [(row, *addition) for row, bias in biases for addition in bias.now()]
    if not additions:
        return
    tokens = np.concatenate([tokens for _, tokens, _ in additions])
    rows = np.repeat([row for row, _, _ in additions], [len(tokens) for _, tokens, _ in additions])
    values = np.concatenate([values for _, _, values in additions])
    written = (tokens >= 0) & (tokens < logits.shape[1])
    place = to_device(np.stack([rows[written], tokens[written]]), logits.device)
    value = to_device(values[written], logits.device)
    logits.index_put_((place[0], place[1]), value, accumulate=True)


def _addition(biases: Mapping[int, float]) -> Addition:
    return np.fromiter(biases, np.int64, len(biases)), np.fromiter(biases.values(), np.float32, len(biases))
