"""Parts that a model computes in one call, several of one size together; a step of it is a few layers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from llamafarm_universal.host.engines.audio.base import Part
from llamafarm_universal.host.engines.audio.chance import Chance
from llamafarm_universal.host.engines.stepwise import Stepwise, give_turns

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Batch:
    """Parts that are being computed. wanted: those of them that nobody has dropped."""

    parts: list[Part]
    wanted: set[Part]
    call: Stepwise[Sequence[Any]]
    chance: Chance


class BatchRunner:
    """module: the model. compute: calls it, and returns the values of parts of one size.

    size: of a part; None: it is computed alone. most: how many parts of a size are computed together.
    """

    def __init__(
        self,
        module: Any,
        compute: Callable[[Sequence[Part]], Sequence[Any]],
        size: Callable[[Part], Hashable | None] = lambda _: None,
        most: Callable[[Any], int] = lambda _: 1,
    ) -> None:
        self.module = module
        self.compute = compute
        self._size = size
        self._most = most
        self._waiting: deque[Part] = deque()
        self._alone: set[Part] = set()  # since they have failed with others
        self._batch: _Batch | None = None
        give_turns(module)

    def room(self) -> int:
        """As many as fill the next batch; more would have to wait where they are in nobody else's turn."""
        return self._together(self._waiting[0]) - len(self._waiting) if self._waiting else 1

    def take(self, part: Part) -> None:
        self._waiting.append(part)

    def drop(self, parts: Iterable[Part]) -> None:
        gone = set(parts)
        self._waiting = deque(part for part in self._waiting if part not in gone)
        self._alone -= gone
        if self._batch is not None:
            self._batch.wanted -= gone
            if not self._batch.wanted:
                self._end()

    def step(self) -> Sequence[tuple[Part, Any]]:
        """Go on with the batch that is being computed, or begin one with the part that has waited longest."""
        batch = self._batch = self._batch or self._next()
        if batch is None:
            return []
        try:
            with batch.chance.turn():
                done = batch.call.step()
            if not done:
                return []
            values = zip(batch.parts, batch.call.value(), strict=True)
        except Exception as error:  # noqa: BLE001 - it is told of the part that it belongs to
            self._batch = None
            return self._failed(batch, error)
        self._batch = None
        return [(part, value) for part, value in values if part in batch.wanted]

    def close(self) -> None:
        """End what is being computed, and forget the rest."""
        self._waiting.clear()
        self._end()

    def _together(self, part: Part) -> int:
        """How many parts can be computed with one, itself included."""
        size = self._size(part)
        return 1 if size is None or part in self._alone else self._most(size)

    def _end(self) -> None:
        if self._batch is not None:
            self._batch.call.close()
            self._batch = None

    def _next(self) -> _Batch | None:
        if not self._waiting:
            return None
        first, parts = self._waiting[0], [self._waiting[0]]
        if (most := self._together(first)) > 1:
            size = self._size(first)
            parts = [each for each in self._waiting if self._size(each) == size and each not in self._alone][:most]
        self.drop(parts)
        return _Batch(parts, set(parts), Stepwise(partial(self._computed, parts)), Chance(self.module.device))

    def _computed(self, parts: Sequence[Part]) -> Sequence[Any]:
        with torch.inference_mode():
            return self.compute(parts)

    def _failed(self, batch: _Batch, error: Exception) -> Sequence[tuple[Part, Any]]:
        """What has failed together is computed again, one by one: no request ends for what belongs to another."""
        if len(batch.parts) == 1:
            return [(part, error) for part in batch.wanted]
        log.warning("%d parts are computed again one by one: together they failed: %r", len(batch.parts), error)
        again = [part for part in batch.parts if part in batch.wanted]
        self._alone.update(again)
        self._waiting.extendleft(reversed(again))
        return []
