"""The plugin: the sections `rag` and `datasets`."""

from __future__ import annotations

from collections.abc import Iterable

import llamafarm

from llamafarm_rag.config.checks import check_datasets, check_rag
from llamafarm_rag.config.datasets import Datasets
from llamafarm_rag.config.entries import added_entries
from llamafarm_rag.config.example import rag_example
from llamafarm_rag.config.section import RagSection

RAG = llamafarm.Section("rag")
DATASETS = llamafarm.Section("datasets")


@llamafarm.hookimpl
def register_config_fragments() -> Iterable[llamafarm.ConfigFragment]:
    yield llamafarm.ConfigFragment(
        at=RAG, model=RagSection, entries=added_entries, check=check_rag, example=rag_example
    )
    yield llamafarm.ConfigFragment(at=DATASETS, model=Datasets, check=check_datasets)
