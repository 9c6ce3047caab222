"""Parts that a model does at one go, several of one size together."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import torch

from llamafarm_universal.host.engines.audio.base import Part

log = logging.getLogger(__name__)


class BatchRunner:
    """compute: the values of parts of one size. size: of a part. most: how many are computed together."""

    def __init__(
        self, compute: Callable[[Sequence[Part]], Sequence[Any]], size: Callable[[Part], Hashable], most: int
    ) -> None:
        self.compute = compute
        self._size = size
        self._most = most
        self._waiting: deque[Part] = deque()

    def room(self) -> int:
        return self._most - len(self._waiting)

    def take(self, part: Part) -> None:
        self._waiting.append(part)

    def drop(self, parts: Iterable[Part]) -> None:
        gone = set(parts)
        self._waiting = deque(part for part in self._waiting if part not in gone)

    def step(self) -> Sequence[tuple[Part, Any]]:
        """Compute what is of the size of the part that has waited longest."""
        if not self._waiting:
            return []
        size = self._size(self._waiting[0])
        batch = [part for part in self._waiting if self._size(part) == size]
        self.drop(batch)
        with torch.inference_mode():
            try:
                return list(zip(batch, self.compute(batch), strict=True))
            except Exception as error:  # noqa: BLE001 - it is told of the part that it belongs to
                if len(batch) == 1:
                    return [(batch[0], error)]
                log.warning("%d parts are computed again one by one: together they failed: %r", len(batch), error)
                return [(part, self._alone(part)) for part in batch]

    def _alone(self, part: Part) -> Any:
        """The value of a part, or the exception that computing it raises."""
        try:
            [value] = self.compute([part])
        except Exception as error:  # noqa: BLE001 - as in `step`
            return error
        return value
