"""Where a turn looks for its answer, and for what: its request fields over the handler's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import llamafarm
from llamafarm.errors import RequestError

from llamafarm_rag.answering.options import RagOptions
from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.datasets import Dataset
from llamafarm_rag.config.project import database_of, dataset_of, strategy_of
from llamafarm_rag.config.retrieval import RetrievalStrategy
from llamafarm_rag.retrieval.question import Question


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
    dataset = dataset_of(project, fields["dataset"]) if fields.get("dataset") else None
    usual = database_of(project, options.database)
    database = _database(project, fields, dataset) or usual
    own = options.retrieval_strategy if database is usual else None  # it is one of that database
    return Place(database, strategy_of(database, fields.get("rag_retrieval_strategy") or own), dataset)


def asked_for(turn: llamafarm.Turn, options: RagOptions, text: str) -> Question:
    """What is looked for. text: the question, as it stands alone."""
    fields = turn.fields
    return Question(
        text,
        tuple(fields["rag_queries"]) if fields.get("rag_queries") else None,
        _given(fields.get("rag_top_k"), options.top_k),
        _given(fields.get("rag_score_threshold"), options.score_threshold),
        fields.get("rag_filters") or None,
    )


def _database(project: llamafarm.Project, fields: Mapping[str, Any], dataset: Dataset | None) -> DatabaseOptions | None:
    """The database that the request names, or that of the dataset that it names."""
    named = database_of(project, fields["database"]) if fields.get("database") else None
    if dataset is None:
        return named
    of_dataset = database_of(project, dataset.database)
    if named is not None and named is not of_dataset:
        raise RequestError(
            f"The dataset {dataset.name!r} is in the database {of_dataset.name!r}, not in {named.name!r}.",
            hint="A request that names a dataset need not name its database.",
            param="database",
        )
    return of_dataset


def _given(field: Any, option: Any) -> Any:
    return option if field is None else field
