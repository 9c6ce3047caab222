"""The model entries that embed: those of the project, and those that come with the section `rag`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import llamafarm

from llamafarm_rag.config.databases import DatabaseOptions
from llamafarm_rag.config.embedders import EmbeddingStrategy, EntryEmbedder, ModelStrategy
from llamafarm_rag.config.section import RagSection

Path = tuple[str | int, ...]


def added_entries(section: RagSection, models: Sequence[llamafarm.ModelEntry]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The entries of embedders that llamafarm.yaml names by their model alone, each with its place in the section.

    A model that has an entry in the file already gets no second one.
    """
    for number, database in enumerate(section.databases):
        for place, strategy in enumerate(database.embedding_strategies):
            if not isinstance(strategy, EntryEmbedder) and _entry_of(strategy, models) is None:
                at = ("databases", number, "embedding_strategies", place, "config")
                yield at, _fields(strategy, database, models)


def entry_name(database: DatabaseOptions, strategy: EmbeddingStrategy, project: llamafarm.Project) -> str:
    """The name of the model entry that a strategy of a database asks."""
    if isinstance(strategy, EntryEmbedder):
        return strategy.config.model
    added = _added_name(database, strategy)
    written = [entry for entry in project.models if isinstance(entry, llamafarm.ModelEntry) and entry.name != added]
    entry = _entry_of(strategy, written)
    return added if entry is None else entry.name


def _entry_of(strategy: ModelStrategy, models: Iterable[llamafarm.ModelEntry]) -> llamafarm.ModelEntry | None:
    """The entry of the file that is for the same model, at the same address where the strategy names one."""
    wanted = strategy.config
    for entry in models:
        if (entry.provider, entry.model) == (strategy.provider, wanted.model) and (
            wanted.base_url in (None, entry.base_url)
        ):
            return entry
    return None


def _fields(
    strategy: ModelStrategy, database: DatabaseOptions, models: Sequence[llamafarm.ModelEntry]
) -> dict[str, Any]:
    """The entry as llamafarm.yaml would have it, at the runtime of the other models of its provider."""
    config = strategy.config
    addresses = (entry.base_url for entry in models if entry.provider == strategy.provider)
    fields = {
        "name": _added_name(database, strategy),
        "provider": strategy.provider,
        "model": config.model,
        "description": f"Embeds the database {database.name}",
        "base_url": config.base_url or next(addresses, None),
        "api_key": config.api_key,
        **config.settings,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _added_name(database: DatabaseOptions, strategy: ModelStrategy) -> str:
    return f"{database.name}:{strategy.name}"
