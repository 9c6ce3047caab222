"""Somebody who has all examples installed, and nothing of this workspace but wheels."""

from __future__ import annotations

import pytest
from throwaway import CORE, KIT, OPENAI, ROOT, UNIVERSAL, Environment

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `example` is there once for the folder of each."""
    if "example" in metafunc.fixturenames:
        metafunc.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the core and all examples, installed as from an index."""
    made = Environment(tmp_path_factory.mktemp("examples"), of=[CORE, KIT, OPENAI, UNIVERSAL])
    made.install(CORE, KIT, OPENAI, UNIVERSAL, *EXAMPLES)
    return made
