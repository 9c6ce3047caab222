"""What the sections `rag` and `datasets` need of the rest of llamafarm.yaml, and of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import llamafarm
from llamafarm.errors import UsageError
from llamafarm.wire import CHAT, EMBEDDINGS, RERANK

from llamafarm_rag.config.bases import chain_of
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.datasets import Datasets
from llamafarm_rag.config.embedders import EntryEmbedder
from llamafarm_rag.config.project import DEFAULT_PROCESSING
from llamafarm_rag.config.retrieval import MultiQueryStrategy, RerankedStrategy
from llamafarm_rag.config.section import RagSection

Problem = tuple[tuple[str | int, ...], str]


def check_rag(section: RagSection, project: llamafarm.Project) -> Iterator[Problem]:
    """Embedders that are no models of the project, or embed nothing; and what retrieval needs and lacks."""
    for number, database in enumerate(section.databases):
        yield from _check_retrieval(("databases", number, "retrieval_strategies"), database, project)
        for place, strategy in enumerate(database.embedding_strategies):
            if isinstance(strategy, EntryEmbedder) and (lack := project.objection(strategy.config.model, EMBEDDINGS)):
                yield ("databases", number, "embedding_strategies", place, "config", "model"), lack


def _check_retrieval(
    place: tuple[str | int, ...], database: DatabaseOptions, project: llamafarm.Project
) -> Iterator[Problem]:
    """Models that rerank nothing or do not chat, and strategies that stand on none that is there."""
    for number, strategy in enumerate(database.retrieval_strategies):
        if not isinstance(strategy, RerankedStrategy | MultiQueryStrategy):
            continue
        model, operation = strategy.config.model, RERANK if isinstance(strategy, RerankedStrategy) else CHAT
        if model is not None and (lack := project.objection(model, operation)):
            yield (*place, number, "config", "model"), lack
        try:
            chain_of(strategy, database.strategies)
        except UsageError as error:
            yield (*place, number, "config", "base"), " ".join(str(error).splitlines())


def check_datasets(datasets: Datasets, project: llamafarm.Project) -> Iterator[Problem]:
    """Names of databases and strategies that are not there, and of datasets that stand twice."""
    section = project.sections.get("rag")
    if not isinstance(section, RagSection):
        yield (), "needs the section `rag`, which says what its databases are"
        return
    names = [dataset.name for dataset in datasets.root]
    databases = [database.name for database in section.databases]
    strategies = [strategy.name for strategy in (*section.data_processing_strategies, DEFAULT_PROCESSING)]
    for number, dataset in enumerate(datasets.root):
        if dataset.name in names[:number]:
            yield (number, "name"), f"there is a dataset {dataset.name!r} already"
        yield from _unknown((number, "database"), dataset.database, databases)
        yield from _unknown((number, "data_processing_strategy"), dataset.data_processing_strategy, strategies)
        for place, name in enumerate(dataset.prompts):
            yield from _unknown((number, "prompts", place), name, [*project.prompts])


def _unknown(place: tuple[str | int, ...], name: str | None, there: Sequence[str]) -> Iterator[Problem]:
    if name is not None and name not in there:
        yield place, f"there is no {name!r}; there are: {', '.join(there)}"
