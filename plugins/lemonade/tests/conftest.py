"""What the tests of this distribution share: the modules beside them, and the event loop."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_lemonade_of_this_machine(monkeypatch, tmp_path):
    """No test sees the user's own settings, or writes into the user's data directory."""
    for name in ("LEMONADE_API_KEY", "LEMONADE_PORT", "LEMONADE_MODEL", "LEMONADE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
