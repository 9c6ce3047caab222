"""Where a turn looks for its answer: its request fields over the handler's options."""

from __future__ import annotations

from dataclasses import dataclass

import llamafarm
from llamafarm.errors import RequestError

from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.config.project import database_of, dataset_of, strategy_of
from llamafarm_rag.config.retrieval import RetrievalStrategy


@dataclass(frozen=True)
class Place:
    """Where is looked. dataset: the one that is meant, where the request names one."""

    database: DatabaseOptions
    strategy: RetrievalStrategy
    dataset: Dataset | None


def is_wanted(turn: llamafarm.Turn, options: RagOptions) -> bool:
    """Whether the turn is to be answered from documents."""
    wanted = turn.fields.get("rag_enabled")
    return options.enabled if wanted is None else bool(wanted)


def place_of(turn: llamafarm.Turn, options: RagOptions) -> Place:
    """Raises UsageError, with the names that there are, for a database, strategy or dataset that does not exist."""
    fields, project = turn.fields, turn.project
    usual = usual_place(project, options)
    if fields.get("database") or fields.get("dataset"):
        database, dataset = _named(project, fields.get("database"), fields.get("dataset"))
    else:
        database, dataset = usual.database, usual.dataset
    strategy = fields.get("rag_retrieval_strategy")
    if strategy is None and database is usual.database:
        return Place(database, usual.strategy, dataset)
    return Place(database, strategy_of(database, strategy), dataset)


def usual_place(project: llamafarm.Project, options: RagOptions) -> Place:
    """Where is looked for a request that names nothing. Raises UsageError."""
    database, dataset = _named(project, options.database, options.dataset)
    return Place(database, strategy_of(database, options.retrieval_strategy), dataset)


def _named(
    project: llamafarm.Project, database: str | None, dataset: str | None
) -> tuple[DatabaseOptions, Dataset | None]:
    """The database of that name and the dataset in it; the database of the dataset, where none is named."""
    if dataset is None:
        return database_of(project, database), None
    found = dataset_of(project, dataset)
    of_dataset = database_of(project, found.database)
    if database is not None and database_of(project, database) is not of_dataset:
        raise RequestError(
            f"The dataset {dataset!r} is in the database {of_dataset.name!r}, not in {database!r}.",
            hint="Where a dataset is named, its database need not be.",
            param="database",
        )
    return of_dataset, found
