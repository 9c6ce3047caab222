"""One run of pytest over many contract classes, as their author would run them: none of our own settings applies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from llamafarm_kit.testing.outcomes import BOUND, Outcomes, outcomes_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a file waits for the run that all of them look at."""
    for item in items:
        if "run_contracts" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BOUND + 100))


@pytest.fixture(scope="session")
def run_contracts(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcomes]:
    """run_contracts(file, *import_path, select=…): see `outcomes_of`."""

    def run(file: Path, *import_path: Path, select: str = "") -> Outcomes:
        return outcomes_of(file, tmp_path_factory.mktemp("contracts"), *import_path, select=select)

    return run
