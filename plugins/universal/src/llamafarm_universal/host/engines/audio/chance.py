"""What is left to chance in a call that is interrupted by others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Chance:
    """The random numbers of one call: nobody else draws from them, and those of the process stay as they are.

    Libraries draw from generators that the whole process shares, and seed those. device: where the call computes.
    """

    def __init__(self, device: Any) -> None:
        self._on_gpu = device.type == "cuda"
        self._device = device
        self._mine: list[Tensor] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it, the call goes on."""
        others = self._states()
        if self._mine is not None:
            self._restore(self._mine)
        try:
            yield
        finally:
            self._mine = self._states()
            self._restore(others)

    def _states(self) -> list[Tensor]:
        states = [torch.get_rng_state()]
        return [*states, torch.cuda.get_rng_state(self._device)] if self._on_gpu else states

    def _restore(self, states: list[Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self._on_gpu:
            torch.cuda.set_rng_state(states[1], self._device)
