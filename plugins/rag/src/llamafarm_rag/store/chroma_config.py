"""ChromaStore: Chroma on disk, or a Chroma server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from llamafarm_rag.store.base import StoreSpec

if TYPE_CHECKING:
    from llamafarm_rag.store.base import Store


class ChromaConfig(BaseModel):
    """`config` of a database of type ChromaStore."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str | None = Field(default=None, description="A Chroma server; without one it lies on disk.")
    port: int = Field(default=8000, ge=1, le=65535)
    ssl: bool = False
    collection_name: str | None = Field(default=None, description="By default the database's name.")


def open_chroma(config: ChromaConfig, folder: Path, collection: str) -> Store:
    """The store; chromadb is imported here."""
    raise NotImplementedError


CHROMA = StoreSpec("ChromaStore", ChromaConfig, open_chroma, is_shared=lambda config: config.host is not None)
