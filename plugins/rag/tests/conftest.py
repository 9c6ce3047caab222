"""What the tests of retrieval share: the helpers that lie here, and one runtime for all that embed for real."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from runtime_process import shared_runtime


@pytest.fixture(scope="session")
def runtime_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The root URL of a Universal Runtime that is up, for tests that leave it so. Workers of pytest-xdist share it."""
    folder = tmp_path_factory.getbasetemp()
    with shared_runtime(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as url:
        yield url
