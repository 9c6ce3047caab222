"""Which rows are read together: those of about one length, since each is padded to the longest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def step_cost(device: str) -> int:
    """What a step costs whatever is read in it, in tokens that could be read in that time.

    Measured with a small model on two processors; on a GPU a step is dear beside its tokens.
    """
    return 32 if device == "cpu" else 2048


def read_together(lengths: Sequence[int], at: int, most: int, cost: int) -> range:
    """The places of the rows to read with the one at `at`: its nearest in length, as long as padding does not pay.

    That is when all padding of the step would cost more than another step. lengths: of all rows, in ascending order.
    most: tokens of a step, padding included; the row itself may have more. cost: of a step, in tokens.
    """
    sums = [0, *accumulate(lengths)]

    def padded(places: range) -> int:
        return len(places) * lengths[places[-1]]

    def padding(places: range) -> int:
        return padded(places) - (sums[places.stop] - sums[places.start])

    chosen = range(at, at + 1)
    while True:
        below, above = range(chosen.start - 1, chosen.stop), range(chosen.start, chosen.stop + 1)
        inside = [places for places in (below, above) if places.start >= 0 and places.stop <= len(lengths)]
        wider = min((places for places in inside if padded(places) <= most), key=padding, default=None)
        if wider is None or padding(wider) > cost:
            return chosen
        chosen = wider
