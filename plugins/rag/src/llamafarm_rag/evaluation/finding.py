"""What each retrieval strategy finds for each question of a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import llamafarm

from llamafarm_rag.config.retrieval import RetrievalStrategy
from llamafarm_rag.database.base import SearchableDatabase
from llamafarm_rag.embedding.base import Embedder
from llamafarm_rag.evaluation.rounds import OF_A_ROW, each_of, one_line
from llamafarm_rag.evaluation.rows import QuestionRow
from llamafarm_rag.retrieval.question import Question
from llamafarm_rag.retrieval.result import Hit, Retrieval
from llamafarm_rag.retrieval.retrieving import retrieve


@dataclass(frozen=True)
class Finding:
    """What a strategy has found for a question, or why it has found nothing.

    milliseconds: from the question to its hits.
    """

    row: QuestionRow
    strategy: str
    retrieval: Retrieval | None = None
    milliseconds: float = 0.0
    error: str = ""

    @property
    def hits(self) -> Sequence[Hit]:
        """The passages, the best first."""
        return () if self.retrieval is None else self.retrieval.hits

    @cached_property
    def rank(self) -> int | None:
        """The place of the first passage of a file that answers the question, counted from 1."""
        places = (place for place, hit in enumerate(self.hits, 1) if hit.passage.file in self.row.files)
        return next(places, None)

    def is_found(self, count: int) -> bool:
        """Whether any file that answers it is among the first so many passages."""
        return self.rank is not None and self.rank <= count

    def share(self, count: int) -> float:
        """How many of the files that answer it are among the first so many passages, as a share."""
        there = {hit.passage.file for hit in self.hits[:count]}
        return len(there & {*self.row.files}) / len(self.row.files)


@dataclass
class Searcher:
    """Looks questions up in an open database. depth: how many passages are asked for."""

    farm: llamafarm.Farm
    database: SearchableDatabase
    embedder: Embedder
    depth: int
    findings: list[Finding] = field(default_factory=list)

    async def find_all(
        self,
        rows: Sequence[QuestionRow],
        strategies: Sequence[RetrievalStrategy],
        *,
        at_once: int,
        done: Callable[[], None],
    ) -> None:
        """Add what each strategy finds to `findings`, as it comes. done: called after each. Raises LlamaFarmError."""

        async def ask(pair: tuple[RetrievalStrategy, QuestionRow]) -> None:
            self.findings.append(await self._find(*pair))
            done()

        pairs = chain.from_iterable([(strategy, row) for row in rows] for strategy in strategies)
        await each_of([*pairs], ask, at_once=at_once)

    async def _find(self, strategy: RetrievalStrategy, row: QuestionRow) -> Finding:
        question = Question(row.question, top_k=self.depth)
        began = time.perf_counter()
        try:
            found = await retrieve(question, self.database, self.embedder, strategy, self.farm.ask)
        except OF_A_ROW as error:
            return Finding(row, strategy.name, error=one_line(error))
        return Finding(row, strategy.name, found, (time.perf_counter() - began) * 1000)
