"""What the sections `rag` and `datasets` need of the rest of llamafarm.yaml, and of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import llamafarm
from llamafarm.wire import EMBEDDINGS

from llamafarm_rag.config.datasets import Datasets
from llamafarm_rag.config.embedders import EntryEmbedder
from llamafarm_rag.config.project import DEFAULT_PROCESSING
from llamafarm_rag.config.section import RagSection

Problem = tuple[tuple[str | int, ...], str]


def check_rag(section: RagSection, project: llamafarm.Project) -> Iterator[Problem]:
    """Embedders that are no models of the project, or embed nothing."""
    for number, database in enumerate(section.databases):
        for place, strategy in enumerate(database.embedding_strategies):
            if isinstance(strategy, EntryEmbedder) and (lack := project.objection(strategy.config.model, EMBEDDINGS)):
                yield ("databases", number, "embedding_strategies", place, "config", "model"), lack


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


def _unknown(place: tuple[str | int, ...], name: str | None, there: Sequence[str]) -> Iterator[Problem]:
    if name is not None and name not in there:
        yield place, f"there is no {name!r}; there are: {', '.join(there)}"
