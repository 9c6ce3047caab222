"""The log probabilities that requests ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.sampling.blocks import likeliest
from llamafarm_universal.host.engines.text.sampling.sampler import Sampler
from llamafarm_universal.host.engines.text.sampling.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

Scores = tuple[float, list[tuple[int, float]]]
"""The log probability of a chosen token, and the likeliest tokens with theirs."""


class LogProbabilities:
    """Natural logarithms of the model's own probabilities, before temperature, penalties, biases and masks.

    It is made before anything changes the logits.
    """

    def __init__(self, logits: Tensor, samplers: Sequence[Sampler]) -> None:
        self._wanted = {
            row: top for row, sampler in enumerate(samplers) if (top := sampler.settings.logprobs) is not None
        }
        self._places = {row: place for place, row in enumerate(self._wanted)}
        self._most = min(max(self._wanted.values(), default=0), logits.shape[1])
        if self._wanted:
            self._logs = logits[to_device(list(self._wanted), logits.device)].log_softmax(-1)
            self._values, self._tokens = likeliest(self._logs, self._most)

    def table(self, rows: Sequence[int], tokens: Tensor) -> Tensor:
        """For each of these rows what `read` reads, float32 [rows, …]. tokens: int64 [rows], those that were chosen."""
        table = torch.zeros(len(rows), 1 + 2 * self._most if self._wanted else 0, device=tokens.device)
        wanted = [(line, self._places[row]) for line, row in enumerate(rows) if row in self._places]
        if wanted:
            lines, places = to_device(wanted, tokens.device).unbind(1)
            chosen = self._logs[places, tokens[lines]].unsqueeze(1)
            table[lines] = torch.cat([chosen, self._values[places], self._tokens[places].to(table.dtype)], 1)
        return table

    def read(self, row: int, line: Sequence[float]) -> Scores | None:
        """What a line of the table says; None where the row asks for none."""
        if row not in self._wanted:
            return None
        values, tokens = line[1 : 1 + self._most], line[1 + self._most :]
        alternatives = [(int(token), value) for token, value in zip(tokens, values, strict=True)]
        return line[0], alternatives[: self._wanted[row]]
