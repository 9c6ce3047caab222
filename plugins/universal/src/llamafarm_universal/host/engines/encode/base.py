"""What the encode engine is put together from: an encoder, which runs the model, and a head for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Work
from llamafarm_universal.host.engines.encode.rows import Row, Rows

Numbers = NDArray[np.float32]


class Encoder(Protocol):
    """Runs the model: a backend. It knows nothing of requests and operations.

    pads: whether it does for each row of a batch what the longest needs.
    """

    pads: bool

    def encode(self, batch: Sequence[Row]) -> Sequence[Any]:
        """What the model says of each row, at its place in the batch: what its heads read.

        Of texts a vector [dimensions], the logits of its classes [classes], or those of each of its tokens
        [tokens, classes].
        """
        ...


class Head(Protocol):
    """One operation of a model: what the encoder shall read for a work, and what its numbers mean."""

    def prepare(self, work: Work) -> Rows:
        """Called in a worker thread. Raises RequestFailed for a work that is wrong, or too long."""
        ...

    def read(self, work: Work, rows: Rows, number: int, numbers: Any, /) -> Any:
        """What is kept of the row of that number until the others have come."""
        ...

    def value(self, work: Work, rows: Rows, kept: Sequence[Any]) -> Any:
        """The value of the work, from what was kept of each row."""
        ...
