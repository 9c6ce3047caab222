"""Whisper's encoder, a few layers at a time: all of a large one takes seconds, in which nothing else would go on."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.engines.stepwise import TURN_SECONDS

if TYPE_CHECKING:
    from torch import Tensor


class Encoding:
    """One window on its way through the encoder. features: [1, bins, frames].

    Source: the forward of transformers' WhisperEncoder.
    """

    def __init__(self, encoder: Any, features: Tensor) -> None:
        self._encoder = encoder
        states = torch.nn.functional.gelu(encoder.conv1(features))
        states = torch.nn.functional.gelu(encoder.conv2(states)).permute(0, 2, 1)
        self._states: Tensor = states + encoder.embed_positions.weight
        self._left = deque(encoder.layers)

    def advance(self) -> Tensor | None:
        """Go through layers for TURN_SECONDS. Returns the states, [1, positions, width], once all are done."""
        end = monotonic() + TURN_SECONDS
        while self._left:
            self._states = self._left.popleft()(self._states, None)
            if monotonic() > end and self._left:
                return None
        states: Tensor = self._encoder.layer_norm(self._states)
        return states
