"""The log probabilities that requests ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.sampling.blocks import likeliest
from llamafarm_universal.host.engines.text.sampling.sampler import Sampler
from llamafarm_universal.host.engines.text.sampling.transfer import at_once
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

Scores = tuple[float, list[tuple[int, float]]]
"""The log probability of a chosen token, and the likeliest tokens with theirs."""


class LogProbabilities:
    """Natural logarithms of the model's own probabilities, before temperature, penalties and biases.

    Where a grammar says which tokens may come, they are shared out among those: of an answer that has to be one of
    some words, they say how likely each word is. It is made when masks, and nothing else, have changed the logits.
    """

    def __init__(self, logits: Tensor, samplers: Sequence[Sampler]) -> None:
        wanted = {row: sampler.settings.logprobs for row, sampler in enumerate(samplers)}
        self._wanted = {row: top for row, top in wanted.items() if top is not None}
        self._most = min(max(self._wanted.values(), default=0), logits.shape[1])
        if not self._wanted:
            return
        rows = list(self._wanted)
        tops = torch.cat([self._of(some) for _, some in at_once(logits, rows)])
        self._unit, self._top = tops[:, :1], tops[:, 1:]
        self._lines = {row: line for line, row in enumerate(rows)}
        will_change = any(samplers[row].changes_logits for row in rows)
        self._logits = logits[to_device(rows, logits.device)] if will_change else logits
        self._places = self._lines if will_change else {row: row for row in rows}

    def _of(self, logits: Tensor) -> Tensor:
        """The logarithm of what the probabilities are parts of, then the largest logits and their tokens."""
        values, tokens = likeliest(logits, max(1, self._most))
        unit = values[:, :1] - logits.log_softmax(-1).gather(1, tokens[:, :1])
        return torch.cat([unit, values[:, : self._most], tokens[:, : self._most].to(values.dtype)], 1)

    def table(self, rows: Sequence[int], tokens: Tensor) -> Tensor:
        """For each of these rows what `read` reads, float32 [rows, …]. tokens: int64 [rows], those that were chosen."""
        table = torch.zeros(len(rows), 2 + 2 * self._most if self._wanted else 0, device=tokens.device)
        wanted = [(place, self._lines[row], self._places[row]) for place, row in enumerate(rows) if row in self._wanted]
        if wanted:
            place, line, source = to_device(wanted, tokens.device).unbind(1)
            chosen = self._logits[source, tokens[place]].unsqueeze(1)
            table[place] = torch.cat([chosen, self._unit[line], self._top[line]], 1)
        return table

    def read(self, row: int, line: Sequence[float]) -> Scores | None:
        """What a line of the table says; None where the row asks for none."""
        if row not in self._wanted:
            return None
        chosen, unit, *rest = line
        values, tokens = rest[: self._most], rest[self._most :]
        pairs = zip(tokens, values, strict=True)
        alternatives = [(int(token), value - unit) for token, value in pairs if value > -math.inf]
        return chosen - unit, alternatives[: self._wanted[row]]
