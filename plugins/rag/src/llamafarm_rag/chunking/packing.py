"""Units put together to chunks: as full as may be, beginning where sections begin, overlapping in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from llamafarm_rag.chunking.contexts import Context, Heading
from llamafarm_rag.chunking.units import Unit
from llamafarm_rag.documents.document import Block

_TINY = 8
"""A section of less than this part of a chunk goes on with the next one: alone it would say too little."""


@dataclass
class Run:
    """The units of one chunk.

    heading: what all of them stand under. page: where most of them stand. repeated: how many at the beginning are those
    that end the chunk before. is_mixed: whether there are sections in it that are not above each other.
    """

    heading: Heading
    page: int | None
    units: list[Unit] = field(default_factory=list)
    repeated: int = 0
    cost: int = 0
    last: Block | None = None
    is_mixed: bool = False

    @property
    def start(self) -> int:
        return self.units[0].start

    @property
    def end(self) -> int:
        return self.units[-1].end

    @property
    def is_fresh(self) -> bool:
        """Whether it has anything that no chunk before it has."""
        return len(self.units) > self.repeated

    def add(self, unit: Unit) -> None:
        self.units.append(unit)
        self.cost += unit.cost

    def forget_first(self) -> None:
        """Repeat one unit less of the chunk before."""
        self.cost -= self.units.pop(0).cost
        self.repeated -= 1


class Packer:
    """Makes the runs of a document.

    contexts: of its headings, which take their part of `size`. size, overlap: in tokens.
    """

    def __init__(self, contexts: Mapping[Heading, Context], size: int, overlap: int) -> None:
        self._contexts = contexts
        self._size = size
        self._overlap = overlap

    def room(self, heading: Heading) -> int:
        """How many tokens of text a chunk has under a heading."""
        return self._size - self._contexts[heading].cost

    def runs(self, blocks: Sequence[Block], units: Sequence[Unit]) -> Iterator[Run]:
        """The runs that hold all units, in their order."""
        run: Run | None = None
        for number, of_block in groupby(units, key=lambda unit: unit.block):
            block, together = blocks[number], list(of_block)
            if run is None or self._begins_anew(run, block):
                if run is not None:
                    yield run
                run = Run(block.heading, block.page)
            elif self._fits_alone_only(run, block, together):
                yield run
                run = self._next(run, block)
            for unit in together:
                if run.is_fresh and not self._fits(run, block, unit.cost):
                    yield run
                    run = self._next(run, block)
                self._add(run, block, unit)
        if run is not None:
            yield run

    def _begins_anew(self, run: Run, block: Block) -> bool:
        last = run.last
        is_elsewhere = last is not None and (block.heading, block.page) != (last.heading, last.page)
        return is_elsewhere and run.cost * _TINY >= self._size

    def _fits_alone_only(self, run: Run, block: Block, units: Sequence[Unit]) -> bool:
        """Whether a block stays whole in a chunk of its own, and would not in this one."""
        cost = sum(unit.cost for unit in units)
        return run.is_fresh and cost <= self.room(block.heading) and not self._fits(run, block, cost)

    def _fits(self, run: Run, block: Block, cost: int) -> bool:
        return run.cost + cost <= self.room(_merged(run, block))

    def _add(self, run: Run, block: Block, unit: Unit) -> None:
        while run.repeated and not self._fits(run, block, unit.cost):
            run.forget_first()
        heading = _merged(run, block)
        run.is_mixed = run.is_mixed or heading != block.heading or len(heading) < len(run.heading)
        run.heading = heading
        run.page = block.page  # a run goes on to the next page only where it has next to nothing of the one before
        run.last = block
        run.add(unit)

    def _next(self, run: Run, block: Block) -> Run:
        """The run behind a full one, which begins with its last sentences."""
        following = Run(block.heading, block.page)
        if run.last is not None and (run.last.heading, run.last.page) != (block.heading, block.page):
            return following
        for unit in reversed(run.units[1:]):
            if not unit.is_whole or following.cost + unit.cost > self._overlap:
                break
            following.units.insert(0, unit)
            following.cost += unit.cost
            following.repeated += 1
        following.last = run.last if following.units else None
        return following


def _merged(run: Run, block: Block) -> Heading:
    """The heading of a run with one more block: the deeper one where a section begins, else what they stand under."""
    first, second = run.heading, block.heading
    if run.last is None:
        return second
    depth = next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), None)
    if depth is None:
        is_below = len(second) > len(first) and not run.is_mixed
        return second if is_below else min(first, second, key=len)
    return first[:depth]
