"""Finds the helpers that lie here."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]


@pytest.fixture
def anyio_backend():
    return "asyncio"
