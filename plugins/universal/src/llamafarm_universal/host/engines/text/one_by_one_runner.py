"""What runners have in common that read one text after the other, each with a cache that the model makes for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from llamafarm_universal.host.engines.text.context import Context, Reading

if TYPE_CHECKING:
    from torch import Tensor


class OneByOneRunner:
    """The attributes are those of Runner."""

    shares = False
    reads_together = False
    takes_guesses = False
    mixes_adapters = False
    reads_in_chunks = False
    text_bytes = 0

    def allocate(self, blocks: int) -> None:
        """Nothing: each text has a cache of its own."""

    def wipe(self, context: Context) -> None:
        """Nothing: what a text leaves behind is used by no other."""

    def run(self, readings: Sequence[Reading]) -> Tensor:
        """Read them. Returns the logits of those that complete their text, in order: float32 [texts, vocabulary]."""
        logits = [self._read(reading) for reading in readings]
        rows = [row for reading, row in zip(readings, logits, strict=True) if reading.completes]
        return torch.stack(rows) if rows else torch.empty(0, 0)

    def _read(self, reading: Reading) -> Tensor:
        """Returns the logits behind the last token that is read: float32 [vocabulary]."""
        raise NotImplementedError
