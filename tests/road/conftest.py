"""Projects with a runtime of their own, and commands that are left running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Running
from farms import Farm
from projects import configure


@pytest.fixture
def road(farm: Farm, counting: Path) -> Farm:
    """A project with a runtime of its own, which is not up yet."""
    return configure(farm, counting)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, counting: Path) -> Iterator[Farm]:
    """A project whose runtime the tests of one module end as they like; it has room for one answer."""
    made = Farm(tmp_path_factory.mktemp("own"), {"UNIVERSAL_RUNTIME_MAX_REQUESTS": "1"})
    yield configure(made, counting)
    made.end_services()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """start(farm, "chat", "Hello") leaves `lf chat Hello` running; all are ended with the test."""
    running: list[Running] = []

    def begin(farm: Farm, *arguments: str) -> Running:
        running.append(Running(farm.start(*arguments)))
        return running[-1]

    yield begin
    for command in running:
        command.__exit__(None, None, None)
