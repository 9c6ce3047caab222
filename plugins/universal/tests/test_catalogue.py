"""The engines that are installed, and which files each wants of a repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llamafarm_universal import catalogue
from llamafarm_universal.catalogue import wanted_by
from llamafarm_universal.engine import EngineSpec, FilePatterns
from llamafarm_universal.failure import RequestFailed


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have engines installed: of each its name, what it takes, and what it leaves."""

    def install(*engines: tuple[str, tuple[str, ...], tuple[str, ...]]) -> None:
        unused: Any = None
        specs = tuple(EngineSpec(name, (), FilePatterns(take, leave), unused, unused) for name, take, leave in engines)
        monkeypatch.setattr(catalogue, "installed", lambda: specs)

    return install


def test_all_specs_of_an_engine_have_their_files(installed: Callable[..., None]) -> None:
    installed(
        ("torch", ("*.safetensors", "*.json"), ("onnx/*", "original/*")),
        ("torch", ("*.json", "onnx/*"), ("original/*",)),
        ("other", ("*.gguf",), ()),
    )
    assert wanted_by("torch") == FilePatterns(("*.safetensors", "*.json", "onnx/*"), ("original/*",))
    assert wanted_by("other").take == ("*.gguf",)


def test_the_default_engine_is_meant_where_none_is_named(installed: Callable[..., None]) -> None:
    installed(("other", ("*.gguf",), ()), ("torch", ("*.safetensors",), ()))
    assert wanted_by(None).take == ("*.safetensors",)


def test_an_engine_that_is_not_installed_names_those_that_are() -> None:
    with pytest.raises(RequestFailed) as caught:
        wanted_by("vulkan")
    assert caught.value.param == "engine"
    assert "torch" in (caught.value.hint or "")
