"""Finds the helpers that lie here, and those of retrieval."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "retrieval")]


@pytest.fixture
def anyio_backend():
    return "asyncio"
