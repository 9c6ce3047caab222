"""ChromaStore: Chroma on disk, or a Chroma server."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from llamafarm_rag.store.base import Store, StoreSpec


class ChromaConfig(BaseModel):
    """`config` of a database of type ChromaStore."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str | None = Field(default=None, description="A Chroma server; without one it lies on disk.")
    port: int = Field(default=8000, ge=1, le=65535)
    ssl: bool = False
    collection_name: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]$",
        description="By default the database's name.",
    )


def open_chroma(config: ChromaConfig, folder: Path, database: str) -> Store:
    """The store; chromadb is imported here. Raises DatabaseError, and StoreDamaged for files that cannot be read."""
    from llamafarm_rag.store.chroma import chroma_on_disk, chroma_server

    name = config.collection_name or collection_name(database)
    return chroma_on_disk(folder, name) if config.host is None else chroma_server(config, name)


def collection_name(database: str) -> str:
    """What Chroma calls the collection: it wants three characters, and a letter or digit at both ends."""
    fits = len(database) >= 3 and database[-1].isalnum()
    return database if fits else f"database-{database}-llamafarm"


CHROMA = StoreSpec("ChromaStore", ChromaConfig, open_chroma, is_shared=lambda config: config.host is not None)
