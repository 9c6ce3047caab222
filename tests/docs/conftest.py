"""The surroundings of somebody who reads the documents and does what they say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import with_pip
from throwaway import CORE, KIT, OPENAI, UNIVERSAL, Environment, wheel_of


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Environment]:
    """What a plugin author has after `pip install llamafarm-kit`, and a `pip` without the network."""
    made = Environment(tmp_path / "author", of=[CORE, KIT], also=["hatchling", "editables"])
    made.install(CORE, KIT)
    yield with_pip(made, *map(wheel_of, (CORE, KIT, OPENAI)))
    shutil.rmtree(tmp_path)


@pytest.fixture
def engine_author(tmp_path: Path) -> Iterator[Environment]:
    """What an author of engines has, without torch: `pip install llamafarm-universal[testing]`."""
    made = Environment(tmp_path / "author", of=[CORE, KIT, OPENAI, UNIVERSAL], also=["hatchling", "editables"])
    made.install(CORE, KIT, OPENAI, UNIVERSAL)
    yield with_pip(made, *map(wheel_of, (CORE, KIT, OPENAI, UNIVERSAL)))
    shutil.rmtree(tmp_path)
