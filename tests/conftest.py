"""What the tests across distributions share: project folders with a real `lf`, and real servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]  # for the helpers that lie here

from commands import Served  # noqa: E402
from counting_model import make_counting_model  # noqa: E402
from echo_server import Echo, Serving, echo_app  # noqa: E402
from farms import Farm  # noqa: E402
from projects import configure  # noqa: E402


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A project folder, empty so far."""
    made = Farm(tmp_path)
    yield made
    made.end_services()


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo("")
    with Serving(echo_app(made)) as url:
        made.url = url
        yield made


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model that counts."""
    return make_counting_model(tmp_path_factory.mktemp("models") / "counting")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, counting: Path) -> Iterator[Farm]:
    """A project whose runtime is up, for tests that leave it so."""
    made = configure(Farm(tmp_path_factory.mktemp("shared")), counting)
    started = made.lf("start")
    try:
        assert started.returncode == 0, started.stderr
        yield made
    finally:
        made.end_services()


@pytest.fixture(scope="session")
def api(shared: Farm) -> Iterator[str]:
    """The root URL of a running `lf serve` of that project."""
    with Served(shared) as root:
        yield root
