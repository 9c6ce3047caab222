"""What is left of a model that has gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from llamafarm_universal.messages import ModelRef

BIG = 400_000_000  # at least this many bytes of the big one


@pytest.fixture(scope="module")
def big(models_folder: Path, make_model: Callable[..., Path]) -> ModelRef:
    """A model that is heavy enough to be seen in the memory of its process."""
    folder = make_model(models_folder / "big", hidden_size=1024, intermediate_size=4096, num_hidden_layers=7)
    return ModelRef(str(folder))


def test_unloading_gives_the_memory_back(start_host: Callable[..., Any], big: ModelRef, llama: ModelRef) -> None:
    with start_host() as host:
        host.generate(llama, max_tokens=1)
        host.generate(big, max_tokens=1)  # all that is imported, compiled and measured once is in memory after that
        host.unload(big)
        process = psutil.Process(host.process.pid)
        before = process.memory_info().rss
        host.generate(big, max_tokens=2, temperature=0)
        during = process.memory_info().rss
        host.unload(big)
        after = process.memory_info().rss
    assert during - before > BIG
    assert after - before < BIG / 10
