"""What a project says of retrieval: names looked up, each with an error that says which there are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

import llamafarm
from llamafarm.errors import UsageError

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.datasets import Dataset, Datasets
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.config.retrieval import RetrievalStrategy
from llamafarm_rag.config.section import RagSection

DEFAULT_DATASET = "documents"
"""The dataset of a project that declares none."""
DEFAULT_PROCESSING = ProcessingStrategy(name="default", description="Every kind of file, by its own reader.")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


def rag_of(project: llamafarm.Project) -> RagSection:
    """The section of a project. Raises UsageError where it has none."""
    section = project.sections.get("rag")
    if section is None:
        raise UsageError(
            f"The project {project.key} has no section `rag`.",
            hint="`lf init --rag` writes a configuration that has one.",
            code="rag_not_configured",
        )
    return cast("RagSection", section)


def database_of(project: llamafarm.Project, name: str | None) -> DatabaseOptions:
    """The database of that name, or the default one. Raises UsageError for an unknown one."""
    section = rag_of(project)
    return section.database if name is None else named("database", name, section.databases, param="database")


def strategy_of(database: DatabaseOptions, name: str | None) -> RetrievalStrategy:
    """The retrieval strategy of that name, or the database's default. Raises UsageError for an unknown one."""
    if name is None:
        return database.retrieval
    return named("retrieval strategy", name, database.strategies, param="rag_retrieval_strategy")


def datasets_of(project: llamafarm.Project) -> list[Dataset]:
    """The datasets of a project; one that declares none has the default one."""
    declared = cast("Datasets | None", project.sections.get("datasets"))
    return list(declared.root) if declared and declared.root else [Dataset(name=DEFAULT_DATASET)]


def dataset_of(project: llamafarm.Project, name: str | None) -> Dataset:
    """The dataset of that name, or the first one. Raises UsageError for an unknown one."""
    datasets = datasets_of(project)
    return datasets[0] if name is None else named("dataset", name, datasets, param="dataset")


def processing_of(project: llamafarm.Project, dataset: Dataset) -> ProcessingStrategy:
    """How the files of a dataset are read and cut. Raises UsageError for an unknown strategy."""
    there = rag_of(project).data_processing_strategies
    if dataset.data_processing_strategy is None:
        return there[0] if there else DEFAULT_PROCESSING
    return named("data processing strategy", dataset.data_processing_strategy, [*there, DEFAULT_PROCESSING])


def named(what: str, name: str, there: Sequence[NamedT], *, param: str | None = None) -> NamedT:
    """The one of that name. Raises UsageError, with the nearest names and all that there are."""
    for item in there:
        if item.name == name:
            return item
    names = [item.name for item in there]
    code = f"{what.replace(' ', '_')}_not_found"
    near = difflib.get_close_matches(name, names, n=2)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"There is no {what} {name!r}.", hint=f"{hint}There are: {', '.join(names)}.", code=code, param=param
    )
