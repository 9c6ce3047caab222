"""A hub, and a host that knows no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, running_hub


@pytest.fixture(scope="session")
def hub(llama_folder: Path) -> Iterator[Hub]:
    with running_hub() as server:
        server.models["farm/tiny"] = llama_folder
        yield server


@pytest.fixture(scope="session")
def hub_host(hub: Hub, start_host: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A host that knows only the stand-in, with an empty cache in TRANSFORMERS_CACHE."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"):
            patch.delenv(name, raising=False)
        patch.setenv("TRANSFORMERS_CACHE", str(cache))
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_TOKEN", "hf_stand_in")
        with start_host(fresh=True) as host:
            host.cache = cache
            yield host
