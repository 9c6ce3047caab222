"""A store of a third party keeps the same contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm_rag.store.base import Store
from llamafarm_rag.testing import StoreContract
from memory_store import MEMORY, MemoryConfig


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def open(self) -> Store:
        return MEMORY.open(MemoryConfig(), self.folder, "notes")
