"""Which texts of a step are read in one forward, where some are read with adapters."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llamafarm_universal.host.models.lora import Adapter, applied

if TYPE_CHECKING:
    from llamafarm_universal.host.engines.text.scheduler import Advance


def together(advances: Sequence[Advance], *, mixes: bool) -> list[list[Advance]]:
    """What is read in one forward each: all, or the texts of one adapter.

    mixes: whether the runner reads texts of several adapters at once. Some adapters do not let it.
    """
    groups: dict[Hashable, list[Advance]] = {}
    for advance in advances:
        adapter = _adapter_of(advance)
        is_mixed = mixes and (adapter is None or adapter.mixes)
        groups.setdefault("mixed" if is_mixed else adapter, []).append(advance)
    return list(groups.values())


@contextmanager
def read_with_adapters(advances: Sequence[Advance]) -> Iterator[None]:
    """Within it, a runner that does not look at adapters itself reads texts with the one that they all have.

    Raises RequestFailed afterwards for an adapter that the model has not been changed by.
    """
    adapters = {_adapter_of(advance): advance for advance in advances}
    [first, *others] = adapters
    with applied([(first, 1)] if not others else []):
        yield
    for adapter, advance in adapters.items():
        if adapter is not None and advance.reading.completes:
            adapter.check_use()


def _adapter_of(advance: Advance) -> Adapter | None:
    return advance.sequence.context.adapter
