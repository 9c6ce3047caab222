"""The plugin: the sections `rag` and `datasets`, the agent handler `rag`, and routes of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llamafarm

from llamafarm_rag.answering.checks import check_answering
from llamafarm_rag.answering.options import FLAGS, REQUEST_FIELDS, RagOptions
from llamafarm_rag.api.routes import route_specs
from llamafarm_rag.config.checks import check_datasets, check_rag
from llamafarm_rag.config.datasets import Datasets
from llamafarm_rag.config.entries import added_entries
from llamafarm_rag.config.example import rag_example
from llamafarm_rag.config.section import RagSection

if TYPE_CHECKING:
    from llamafarm_rag.answering.handler import RagHandler

RAG = llamafarm.Section("rag")
DATASETS = llamafarm.Section("datasets")


@llamafarm.hookimpl
def register_config_fragments() -> Iterable[llamafarm.ConfigFragment]:
    yield llamafarm.ConfigFragment(
        at=RAG, model=RagSection, entries=added_entries, check=check_rag, example=rag_example
    )
    yield llamafarm.ConfigFragment(at=DATASETS, model=Datasets, check=check_datasets)


@llamafarm.hookimpl
def register_agent_handlers() -> Iterable[llamafarm.AgentHandlerSpec]:
    yield llamafarm.AgentHandlerSpec(
        name="rag",
        summary="Answers from documents, with citations that are checked.",
        build=build_handler,
        options=RagOptions,
        fields=REQUEST_FIELDS,
        check=check_answering,
        flags=FLAGS,
    )


def build_handler(options: RagOptions) -> RagHandler:
    """The handler of one model entry."""
    from llamafarm_rag.answering.databases import ProjectDatabases
    from llamafarm_rag.answering.handler import RagHandler

    return RagHandler(options, ProjectDatabases())


@llamafarm.hookimpl
def register_routes() -> Iterable[llamafarm.RouteSpec]:
    yield from route_specs()
