"""An evaluation from the rows to what came of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import llamafarm

from llamafarm_rag.config.project import database_of, strategy_of
from llamafarm_rag.embedding.asking import embedder_of
from llamafarm_rag.evaluation.answers import Asker
from llamafarm_rag.evaluation.finding import Searcher
from llamafarm_rag.evaluation.outcome import Outcome
from llamafarm_rag.evaluation.rows import absent_files
from llamafarm_rag.library import is_made_with, opened

ANSWERS_AT_ONCE = 4
Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""A context for work of that name and so many steps; what it gives is called after each step."""


@dataclass(frozen=True)
class Wish:
    """What is measured.

    database, model: None is the default one. strategies: those that are named, the database's default one where none
    is. is_answered: whether a model answers, too. at_once: None is 1 for searches, 4 for answers.
    """

    database: str | None = None
    strategies: tuple[str, ...] = ()
    all_strategies: bool = False
    is_answered: bool = False
    model: str | None = None
    at_once: int | None = None


async def run(farm: llamafarm.Farm, wish: Wish, outcome: Outcome, bar: Bar) -> None:
    """Fill an outcome: search for every question, and have it answered where that is wished.

    Raises UsageError for names that are not there, DatabaseError, and errors that no other row would escape.
    """
    options = database_of(farm.project, wish.database)
    named = [strategy_of(options, name) for name in dict.fromkeys(wish.strategies)]
    strategies = options.strategies if wish.all_strategies else named or [options.retrieval]
    outcome.database = options.name
    async with opened(farm, options) as database:
        embedder = embedder_of(farm.project, options, farm)
        await is_made_with(database, embedder)
        await database.prepare()
        outcome.absent = absent_files(outcome.rows, {file.shown for file in await database.files()})
        await embedder.identity()  # loads the model, which is no time of the first question
        searcher = Searcher(farm, database, embedder, max(outcome.counts), outcome.findings)
        with bar("search", len(outcome.rows) * len(strategies)) as done:
            await searcher.find_all(outcome.rows, strategies, at_once=wish.at_once or 1, done=done)
    if wish.is_answered:
        chosen = strategies if wish.all_strategies or named else []
        await _ask(farm, [strategy.name for strategy in chosen] or [None], wish, outcome, bar)
    outcome.is_whole = True


async def _ask(farm: llamafarm.Farm, strategies: Sequence[str | None], wish: Wish, outcome: Outcome, bar: Bar) -> None:
    asker = Asker(farm, wish.model, wish.database, outcome.answers)
    with bar("answer", len(outcome.rows) * len(strategies)) as done:
        await asker.ask_all(outcome.rows, strategies, at_once=wish.at_once or ANSWERS_AT_ONCE, done=done)
