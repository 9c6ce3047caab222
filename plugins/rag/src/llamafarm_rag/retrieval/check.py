"""What llamafarm.yaml says of retrieval strategies, held against the models of its project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import llamafarm
from llamafarm.errors import UsageError
from llamafarm.wire import CHAT, RERANK

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.retrieval import MultiQueryStrategy, RerankedStrategy, RetrievalStrategy
from llamafarm_rag.config.section import RagSection
from llamafarm_rag.retrieval.bases import chain_of

KeyPath = tuple[str | int, ...]


def check_retrieval(section: RagSection, project: llamafarm.Project) -> Iterable[tuple[KeyPath, str]]:
    """What cannot work: models that are no entries or cannot rerank or chat, and bases that are none.

    Each as its place in the section, and a sentence.
    """
    for number, database in enumerate(section.databases):
        for at, strategy in enumerate(database.retrieval_strategies):
            path = ("databases", number, "retrieval_strategies", at, "config")
            yield from _check_strategy(path, strategy, database, project)


def _check_strategy(
    path: KeyPath, strategy: RetrievalStrategy, database: DatabaseOptions, project: llamafarm.Project
) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(strategy, RerankedStrategy | MultiQueryStrategy):
        return
    operation = RERANK if isinstance(strategy, RerankedStrategy) else CHAT
    model = strategy.config.model
    if model is not None and (objection := project.objection(model, operation)) is not None:
        yield (*path, "model"), objection
    try:
        chain_of(strategy, database.strategies)
    except UsageError as error:
        yield (*path, "base"), " ".join(str(error).splitlines())
