"""A plugin of a stranger, installed for one test."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROVIDER = """
import llamafarm

@llamafarm.hookimpl
def register_providers():
    yield llamafarm.ProviderSpec(
        name="cow",
        summary="made for a test",
        entry=llamafarm.ModelEntry,
        endpoint=lambda entry: llamafarm.Endpoint("cow", entry.base_url or "http://127.0.0.1:9/v1"),
        connect=lambda endpoint: None,
    )
"""


@pytest.fixture
def provider_source() -> str:
    """The source of a plugin that brings the provider `cow`."""
    return PROVIDER


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """install("acme-cow", source) makes a distribution of one module with the plugin `cow`, or `plugin`."""
    before = set(sys.modules)

    def make(name: str, source: str, plugin: str = "", requires: str = "") -> Path:
        module = name.replace("-", "_")
        folder = tmp_path / "installed" / name
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
        entry_point = plugin or name.removeprefix("acme-")
        (info / "entry_points.txt").write_text(f"[llamafarm.plugins]\n{entry_point} = {module}\n")
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield make
    for module in set(sys.modules) - before:
        if module.startswith("acme"):
            del sys.modules[module]
