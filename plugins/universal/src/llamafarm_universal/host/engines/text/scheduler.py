"""Which sequences advance in a step, and by how many tokens. Knows nothing of models.

Every running sequence whose tokens are all read but the last advances by that one; what is left of the step's budget
reads prompts, first come first served. So a long prompt slows the others down a little, and stops none: the further it
has been read, the smaller are the pieces, since each token looks at all those before it. Sequences wait
in one line for each request and enter in turn, so that a request for many answers does not keep a later request out.

A sequence enters when the cache has room for all that it has to read. Where running sequences need more room than there
is, the one that came last gives its blocks back, waits as the first in line, and reads its text again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.context import Context, Reading
from llamafarm_universal.host.engines.text.kv_cache import BLOCK_TOKENS, KVCache
from llamafarm_universal.host.engines.text.reading_cost import Piece, ReadingCost
from llamafarm_universal.host.engines.text.sequence import Sequence

_ALONE = 4
"""So many times as much is read of prompts in a step in which no answer goes on."""
_LEAST_ALONE = 64
"""So many tokens at least are read then, however much they cost: of fewer, each takes up to twice as long."""


@dataclass(frozen=True)
class Advance:
    """A sequence, how many of its tokens are read in a step, and what is guessed to follow them."""

    sequence: Sequence
    count: int
    guess: tuple[int, ...] = ()

    @property
    def reading(self) -> Reading:
        return Reading(self.sequence.context, self.count, self.guess)


@dataclass(frozen=True)
class SchedulerLimits:
    """running: sequences at once. waiting: how many more may wait. step_tokens: of prompts in a step; None: whole
    prompts, one in a step.
    """

    running: int
    waiting: int
    step_tokens: int | None


class Scheduler:
    """cache: whose blocks the running sequences hold. cost: of reading prompts. interrupted: called for each sequence
    that has to make room.
    """

    def __init__(
        self,
        cache: KVCache,
        limits: SchedulerLimits,
        cost: ReadingCost,
        interrupted: Callable[[], None] = lambda: None,
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._cost = cost
        self._interrupted = interrupted
        self._refused: tuple[Context, int, int] | None = None  # who found no room, in what circumstances
        self._lines: deque[deque[Sequence]] = deque()
        self._running: list[Sequence] = []

    @property
    def has_work(self) -> bool:
        return bool(self._running or self._lines)

    @property
    def running(self) -> int:
        """How many sequences advance."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many sequences wait for others to end."""
        return sum(map(len, self._lines))

    def add(self, sequences: list[Sequence]) -> None:
        """Queue the sequences of one request. Raises RequestFailed (`busy`) when too many wait."""
        if self.running + self.waiting + len(sequences) > self._limits.running + self._limits.waiting:
            raise RequestFailed("busy", "Too many requests wait for this model.", hint="Ask again in a moment.")
        self._lines.append(deque(sequences))

    def runs(self, sequence: Sequence) -> bool:
        """Whether a sequence advances: it has neither ended nor been interrupted."""
        return sequence in self._running

    def holds(self, request_id: str) -> bool:
        """Whether any sequence of a request still runs or waits."""
        return any(sequence.request_id == request_id for sequence in self._all())

    def remove(self, request_id: str, index: int | None = None) -> None:
        """Forget a request, or one sequence of it, and free its blocks."""
        for sequence in self._all():
            if _is(sequence, request_id, index):
                self._give_back(sequence.context)
        self._running = [sequence for sequence in self._running if not _is(sequence, request_id, index)]
        lines = [deque(item for item in line if not _is(item, request_id, index)) for line in self._lines]
        self._lines = deque(line for line in lines if line)

    def plan(self) -> list[Advance]:
        """The sequences that advance in the next step; none where nothing runs or waits."""
        self._make_room()
        going_on = [Advance(sequence, 1) for sequence in self._running if sequence.context.unread == 1]
        reading = deque(sequence for sequence in self._running if sequence.context.unread > 1)
        budget = self._limits.step_tokens
        if budget is None:
            sequence = reading[0] if reading else self._admit()
            return [*going_on, Advance(sequence, sequence.context.unread)] if sequence else going_on
        if going_on:
            return [*going_on, *self._pieces(reading, budget)]
        return self._pieces(reading, budget * _ALONE, min(budget, _LEAST_ALONE))

    def _pieces(self, reading: deque[Sequence], budget: float, least: int = 1) -> list[Advance]:
        """What is read of prompts, first of those that have been begun.

        budget: in first tokens of a text. least: tokens of the first piece.
        """
        advances: list[Advance] = []
        while budget >= 1:
            sequence = reading.popleft() if reading else self._admit()
            if sequence is None:
                break
            context = sequence.context
            count = min(context.unread, self._cost.affordable(budget, context.stored, least))
            count = context.media.uncut(context.stored, count) if context.media else count
            advances.append(Advance(sequence, count))
            budget, least = budget - self._cost.of(Piece(count, context.stored)), 1
        return advances

    def stretched(self, advance: Advance, guess: tuple[int, ...]) -> Advance:
        """The advance with tokens that may follow, where there is room for them."""
        context = advance.sequence.context
        room = context.table is not None and self._cache.grow(context.table, context.size + len(guess))
        return replace(advance, guess=guess) if guess and room else advance

    def advanced(self, advance: Advance) -> None:
        """The tokens of an advance have been read."""
        context = advance.sequence.context
        context.stored += advance.count
        if context.table is not None:
            self._cache.stored(context.table, context.names, context.stored)

    def took(self, advances: list[Advance], seconds: float) -> None:
        """How long it took to read them together, and to choose what follows. Called after `advanced` for each.

        Those steps tell what reading costs that hold up an answer, and read as much of prompts as they may.
        """
        contexts = [(advance.sequence.context, advance.count) for advance in advances]
        pieces = [Piece(count, context.stored - count) for context, count in contexts if count > 1]
        if 0 < len(pieces) < len(advances) and any(context.unread for context, _ in contexts):
            self._cost.observe(pieces, seconds)

    def _make_room(self) -> None:
        """See that each running sequence has room for its next token; the last ones leave where there is too little."""
        for sequence in list(self._running):
            while sequence in self._running and not self._grow(sequence.context):
                self._interrupt(self._running[-1])

    def _grow(self, context: Context) -> bool:
        return context.table is None or self._cache.grow(context.table, context.size)

    def _interrupt(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self._give_back(sequence.context)
        self._lines.appendleft(deque([sequence]))
        self._interrupted()

    def _admit(self) -> Sequence | None:
        """Let the next sequence in, where there is a place and room for it."""
        if self.running >= self._limits.running:
            return None
        line = next((line for line in self._lines if not _waits_for_sibling(line[0])), None)
        if line is None or not self._enter(line[0].context):
            return None
        self._lines.remove(line)
        sequence = line.popleft()
        if line:
            self._lines.append(line)
        self._running.append(sequence)
        return sequence

    def _enter(self, context: Context) -> bool:
        """Take the blocks for all that a sequence has to read, and one for each running one to go on with.

        Who has found no room is not tried again before there is more: to look for shared blocks is to hash all of it.
        """
        if self._found_no_room(context):
            return False
        table = self._cache.open(context.names, context.salt)
        shared = len(table.blocks) * BLOCK_TOKENS
        spare = sum(1 for sequence in self._running if sequence.context.table is not None)
        if not self._cache.grow(table, context.size) or (spare and self._cache.free < spare):
            self._cache.close(table)
            self._refused = (context, self._cache.free, self.running)
            return False
        self._refused = None
        context.table, context.stored = table, shared
        if context.shared is None:  # what it finds later is its own
            context.shared = shared
        return True

    def _found_no_room(self, context: Context) -> bool:
        if self._refused is None:
            return False
        refused, free, running = self._refused
        return refused is context and self._cache.free <= free and self.running >= running

    def _give_back(self, context: Context) -> None:
        if context.table is not None:
            self._cache.close(context.table)
        context.table, context.state, context.stored = None, None, 0

    def _all(self) -> Iterator[Sequence]:
        yield from self._running
        for line in self._lines:
            yield from line


def _waits_for_sibling(sequence: Sequence) -> bool:
    """Whether the first answer to the same prompt still reads it: its blocks can be shared after that."""
    return sequence.first is not None and sequence.first.count == 0


def _is(sequence: Sequence, request_id: str, index: int | None) -> bool:
    return sequence.request_id == request_id and index in (None, sequence.index)
