"""The plugin: the sections `rag` and `datasets`."""

from __future__ import annotations

from collections.abc import Iterable

import llamafarm

from llamafarm_rag.config.datasets import Datasets
from llamafarm_rag.config.section import RagSection

RAG = llamafarm.Section("rag")
DATASETS = llamafarm.Section("datasets")


@llamafarm.hookimpl
def register_config_fragments() -> Iterable[llamafarm.ConfigFragment]:
    yield llamafarm.ConfigFragment(at=RAG, model=RagSection)
    yield llamafarm.ConfigFragment(at=DATASETS, model=Datasets)
