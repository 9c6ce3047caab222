"""Rows of logits, as many at once as their device does well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor

_AT_ONCE = 2**20  # logits that a processor goes through at once: as many as its caches hold


def at_once(logits: Tensor, rows: list[int]) -> Iterator[tuple[list[int], Tensor]]:
    """These rows with their logits, as many at once as a processor does well; other devices do all.

    The logits are a view where the rows are neighbours, else a copy.
    """
    size = max(1, _AT_ONCE // logits.shape[1]) if logits.device.type == "cpu" else len(rows)
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        if some[-1] - some[0] == len(some) - 1:
            yield some, logits[some[0] : some[-1] + 1]
        else:
            yield some, logits[to_device(some, logits.device)]
