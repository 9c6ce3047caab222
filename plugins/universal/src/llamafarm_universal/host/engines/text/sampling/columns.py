"""The settings of many sequences beside their logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.sampling.sampler import Sampler
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor


class Columns:
    """Settings of some sequences as columns, [rows, 1], and what is known of all of them without asking the device.

    temperature: None where all have 1. top_k and top_p are infinite where they leave every token. uniforms: [rows, 2].
    """

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        self._samplers = samplers
        self._device = device
        rows = [_row(sampler) for sampler in samplers]
        temperature, self.top_k, self.top_p, self.min_p, self.typical_p = to_device(rows, device).split(1, 1)
        self.temperature = temperature if any(row[0] != 1.0 for row in rows) else None
        self.uniforms = self.uniforms_of(0)
        self._most = max((int(row[1]) for row in rows if row[1] < math.inf), default=0)
        self.without_top_k = any(row[1] == math.inf for row in rows)
        self.with_min_p = any(row[3] > 0 for row in rows)
        self.with_typical_p = any(row[4] < 1 for row in rows)

    def candidates(self, without_top_k: int) -> int:
        """How many tokens have to be looked at: so many where a row has no top_k."""
        return max(self._most, without_top_k) if self.without_top_k else self._most

    def uniforms_of(self, trial: int) -> Tensor:
        """Two random numbers for each row, [rows, 2]."""
        return to_device([sampler.uniforms(trial) for sampler in self._samplers], self._device)


def _row(sampler: Sampler) -> list[float]:
    settings = sampler.settings
    return [
        float(settings.temperature),
        settings.top_k or math.inf,
        settings.top_p if settings.top_p < 1 else math.inf,
        settings.min_p,
        settings.typical_p,
    ]
