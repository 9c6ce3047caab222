"""The surroundings of somebody who reads the documents and does what they say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import with_pip
from throwaway import CORE, OPENAI, Environment, wheel_of


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Environment]:
    """What a plugin author has after `pip install "llamafarm[testing]"`, and a `pip` without the network."""
    made = Environment(tmp_path / "author", extras=["testing"], also=["hatchling", "editables"])
    made.install(CORE)
    yield with_pip(made, wheel_of(CORE), wheel_of(OPENAI))
    shutil.rmtree(tmp_path)
