"""Finds the helpers that lie here, and reads files that a test writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from llamafarm_rag.config.processing import ProcessingStrategy
from llamafarm_rag.documents.reading import read

sys.path[:0] = [str(Path(__file__).parent)]


@pytest.fixture
def read_file(tmp_path):
    """Writes a file and reads it."""

    def written(name, content, **processing):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path, ProcessingStrategy(name="mine", **processing))

    return written


@pytest.fixture
def anyio_backend():
    return "asyncio"
