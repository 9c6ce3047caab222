"""One step: tokens are read for all sequences that advance, and the next ones are chosen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llamafarm_universal.failure import explained
from llamafarm_universal.host.engines.stepwise import TURN_SECONDS
from llamafarm_universal.host.engines.text.adapters import read_with_adapters, together
from llamafarm_universal.host.engines.text.guesses import Guesses
from llamafarm_universal.host.engines.text.multimodal.medium import Medium
from llamafarm_universal.host.engines.text.multimodal.tower import Sight
from llamafarm_universal.host.engines.text.runner import Runner
from llamafarm_universal.host.engines.text.sampling import Choice, sample
from llamafarm_universal.host.engines.text.scheduler import Advance, Scheduler
from llamafarm_universal.host.engines.text.sequence import Sequence

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_TURN = 0.02
"""Seconds of seeing at least: to hand over costs a little."""


@dataclass(frozen=True)
class _Row:
    """A row of logits. ahead: how many guessed tokens stand before the one to choose. guess: what that one has been
    guessed to be; None where nothing was read behind it.
    """

    sequence: Sequence
    ahead: int = 0
    guess: int | None = None


class Stepper:
    """runner: of the model. scheduler: says who advances. guesses: for the answer that runs alone. sight: sees what is
    in prompts beside text.
    """

    def __init__(self, runner: Runner, scheduler: Scheduler, guesses: Guesses, sight: Sight | None = None) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self._guesses = guesses
        self._sight = sight

    def step(self) -> Iterator[tuple[Sequence, Choice]]:
        """The tokens that are chosen. Whoever takes one gives it to its sequence before asking for the next one."""
        advances, began = self._scheduler.plan(), time.perf_counter()
        unseen = self._unseen(advances)
        ready = [advance for advance in advances if advance not in unseen]
        for batch in self._batches(ready):
            staying = [advance for advance in batch if self._scheduler.runs(advance.sequence)]
            if staying:  # whoever takes the tokens of one batch may end requests of the next one
                yield from self._read(staying)
        if unseen:  # half of the time, where anything is read beside it
            turn = max(_LEAST_TURN, time.perf_counter() - began) if ready else TURN_SECONDS
            yield from self._see(*next(iter(unseen.items())), turn)

    def close(self) -> None:
        if self._sight is not None:
            self._sight.rest()

    def _unseen(self, advances: list[Advance]) -> dict[Advance, Medium]:
        """What cannot be read yet, and what has to be seen for it."""
        if self._sight is None:
            return {}
        media = {advance: self._sight.unseen(advance.reading) for advance in advances}
        unseen = {advance: medium for advance, medium in media.items() if medium is not None}
        if not unseen:
            self._sight.rest()
        return unseen

    def _see(self, advance: Advance, medium: Medium, seconds: float) -> Iterator[tuple[Sequence, Choice]]:
        assert self._sight is not None
        sequence = advance.sequence
        try:
            self._sight.see(medium, sequence.context, seconds)
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            yield sequence, Choice(-1, failure=explained(error, "looking at a picture or listening to a sound"))

    def _batches(self, advances: list[Advance]) -> list[list[Advance]]:
        """What is read together in this step."""
        if not self._runner.reads_together:
            return [[advance] for advance in advances]
        groups = together(advances, mixes=self._runner.mixes_adapters)
        return groups if len(groups) != 1 else [self._with_guesses(groups[0])]

    def _with_guesses(self, advances: list[Advance]) -> list[Advance]:
        if not self._may_guess(advances):
            return advances
        [advance] = advances
        return [self._scheduler.stretched(advance, self._guesses.of(advance.sequence, advance.sequence.left - 1))]

    def _may_guess(self, advances: list[Advance]) -> bool:
        """Whether an answer advances alone, by its next token."""
        [advance, *others] = advances
        goes_on = advance.reading.completes and advance.count == 1
        return goes_on and not others and self._runner.takes_guesses and advance.sequence.can_be_guessed

    def _read(self, advances: list[Advance]) -> Iterator[tuple[Sequence, Choice]]:
        """What has failed together is read again by itself, and without guesses: no request ends for tokens that are
        another one's, or nobody's.
        """
        began, alone = time.perf_counter(), self._may_guess(advances)
        try:
            with read_with_adapters(advances):
                logits = self._runner.run([advance.reading for advance in advances])
        except Exception as error:  # noqa: BLE001 - a request that fails never ends the host
            if len(advances) == 1 and not advances[0].guess:
                yield advances[0].sequence, Choice(-1, failure=explained(error, "generating text"))
                return
            if any(advance.guess for advance in advances):
                self._guesses.failed(error)
            for advance in advances:
                if self._scheduler.runs(advance.sequence):
                    yield from self._read([replace(advance, guess=())])
            return
        rows = [row for advance in advances if advance.reading.completes for row in _rows(advance)]
        for advance in advances:
            self._scheduler.advanced(advance)
            if self._sight is not None and advance.count > 1:
                self._sight.forget(advance.sequence.context)
        choices = self._choose(rows, logits)
        seconds = time.perf_counter() - began
        self._scheduler.took(advances, seconds)
        yield from self._accepted(rows, choices, seconds, alone=alone)

    def _accepted(
        self, rows: list[_Row], choices: list[Choice], seconds: float, *, alone: bool
    ) -> Iterator[tuple[Sequence, Choice]]:
        """The choices of each sequence, up to the first one that was guessed wrongly."""
        refuted: set[Sequence] = set()
        given = 0
        for row, choice in zip(rows, choices, strict=True):
            if row.sequence in refuted or not self._scheduler.runs(row.sequence):
                continue
            given += 1
            yield row.sequence, choice
            if row.guess is not None and choice.token != row.guess:
                refuted.add(row.sequence)
            elif row.guess is not None and self._scheduler.runs(row.sequence):
                row.sequence.context.stored += 1
        if alone and given:
            self._guesses.observe(seconds, given, len(rows) - 1)

    def _choose(self, rows: list[_Row], logits: Tensor) -> list[Choice]:
        if not rows:
            return []
        try:
            masks = [row.sequence.constraint and row.sequence.constraint.mask() for row in rows]
            return sample(logits, [row.sequence.sampler.ahead(row.ahead) for row in rows], masks)
        except Exception as error:  # noqa: BLE001 - requests that fail never end the host
            return [Choice(-1, failure=explained(error, "choosing tokens"))] * len(rows)


def _rows(advance: Advance) -> list[_Row]:
    sequence = advance.sequence
    return [_Row(sequence, ahead, guess) for ahead, guess in enumerate((*advance.guess, None))]
