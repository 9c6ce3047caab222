"""Servers that tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the spawned host imports scripted_host by its name

from runtime_servers import Running, ServerProcess, running_process, serving  # noqa: E402
from tiny_models import make_llama, make_tokenizer  # noqa: E402


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a causal model with random weights."""
    return make_llama(tmp_path_factory.mktemp("models") / "llama", make_tokenizer())


@pytest.fixture(scope="session")
def real(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server with a real engine host, whose own file admits the model `llama`."""
    config = tmp_path_factory.mktemp("config") / "runtime.yaml"
    config.write_text(f"models:\n  - id: {llama}\n")
    with running_process(UNIVERSAL_RUNTIME_CONFIG=str(config)) as server:
        yield server


@pytest.fixture(scope="session")
def shared() -> Iterator[Running]:
    """One server for all tests that leave its host alive."""
    with serving() as running:
        yield running


@pytest.fixture
def own() -> Iterator[Running]:
    """A server for one test."""
    with serving() as running:
        yield running
