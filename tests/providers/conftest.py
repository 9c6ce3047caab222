"""The fakes of each distribution's own tests, and the API in front of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = ("ollama/tests", "lemonade/tests", "universal/tests", "universal/tests/server")
sys.path[:0] = [str(Path(__file__).parent), *(str(ROOT / "plugins" / home) for home in HOMES)]
VARIABLES = ("OLLAMA_", "LEMONADE_", "OPENAI_", "TOGETHER_", "ANTHROPIC_", "UNIVERSAL_", "LF_")


@pytest.fixture(autouse=True)
def _nothing_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No address, key or data folder of whoever runs the tests."""
    import os

    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
