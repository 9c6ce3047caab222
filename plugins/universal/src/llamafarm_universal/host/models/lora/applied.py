"""Whose rows a forward computes: what the layers of a model look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from llamafarm_universal.host.models.lora.adapter import Adapter
from llamafarm_universal.host.models.lora.change import Change
from llamafarm_universal.host.models.transfer import to_device

if TYPE_CHECKING:
    from torch import Tensor


class NotMixed(Exception):
    """A layer was not given one row for each token: texts with this adapter have to be read by themselves."""


@dataclass(frozen=True)
class Share:
    """The rows that are computed with an adapter, among so many; None: all that there are."""

    adapter: Adapter
    rows: Tensor | slice | None = None
    tokens: int = 0

    def apply(self, change: Change, x: Tensor, product: Tensor) -> Tensor:
        """What a layer gives of x, with the change in these rows of the product, which may be written into."""
        if self.rows is None:
            return change.of(x, product)
        at = -1 if change.takes_ids else -2
        if x.shape[at] != self.tokens or product.shape[-2] != self.tokens:
            self.adapter.mixes = False
            raise NotMixed
        if isinstance(self.rows, slice):
            own = (..., self.rows) if change.takes_ids else (..., self.rows, slice(None))
            product[..., self.rows, :] = change.of(x[own], product[..., self.rows, :])
            return product
        changed = change.of(x.index_select(at, self.rows), product.index_select(-2, self.rows))
        return product.index_copy_(-2, self.rows, changed)


Mix = Sequence[tuple["Adapter | None", int]]
"""The texts of a forward, whose tokens lie behind one another: the adapter of each, and how many tokens it has."""

_current: ContextVar[Sequence[Share]] = ContextVar("adapters", default=())


def shares() -> Sequence[Share]:
    """Those of the forward that is under way."""
    return _current.get()


@contextmanager
def applied(mix: Mix, device: Any = "cpu") -> Iterator[None]:
    """Within it, layers compute with the adapters of these texts."""
    token = _current.set(_shares(mix, device))
    try:
        yield
    finally:
        _current.reset(token)


def _shares(mix: Mix, device: Any) -> Sequence[Share]:
    if not mix:
        return ()
    adapters = list(dict.fromkeys(adapter for adapter, _ in mix))
    if len(adapters) == 1:
        return [Share(adapter) for adapter in adapters if adapter is not None]
    rows: dict[Adapter, list[int]] = {}
    begin = 0
    for adapter, count in mix:
        if adapter is not None:
            rows.setdefault(adapter, []).extend(range(begin, begin + count))
        begin += count
    return [Share(adapter, _compact(own, device), begin) for adapter, own in rows.items()]


def _compact(rows: list[int], device: Any) -> Tensor | slice:
    """Rows that follow one another as a slice: nothing is gathered then."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return slice(rows[0], rows[-1] + 1)
    places: Tensor = to_device(rows, device)
    return places if places.dtype == torch.long else places.long()
