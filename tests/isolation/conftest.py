"""Environments with the core, the plugin `openai`, the kit, and strangers: installed once, and each test looks on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # for the helpers that lie here

from echo_server import Echo, Serving, echo_app  # noqa: E402
from strangers import Stranger  # noqa: E402
from throwaway import CORE, KIT, OPENAI, Environment  # noqa: E402

Farm = Callable[..., Environment]


@pytest.fixture(scope="session")
def one_echo() -> Iterator[Echo]:
    made = Echo("")
    with Serving(echo_app(made)) as url:
        made.url = url
        yield made


@pytest.fixture(scope="session")
def farm_of(tmp_path_factory: pytest.TempPathFactory, one_echo: Echo) -> Farm:
    """farm_of(stranger, ...) is an environment with these installed, and a project with an entry for the echo server,
    which is the default, and one for the provider of each stranger that is not `unnamed`."""

    def make(*strangers: Stranger, unnamed: Stranger | None = None) -> Environment:
        home = tmp_path_factory.mktemp("isolation")
        environment = Environment(home, of=[CORE, KIT])
        environment.install(CORE, OPENAI, KIT, *(one.wheel(home / "wheels") for one in strangers))
        entries = [f"    - {{name: echo, provider: openai, model: echo-1, base_url: {one_echo.url}}}"]
        entries += [
            f"    - {{name: {one.name}, provider: {one.provider}, model: none}}" for one in strangers if one != unnamed
        ]
        environment.write("llamafarm.yaml", "\n".join(["runtime:", "  models:", *entries, ""]))
        return environment

    return make
