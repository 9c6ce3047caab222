"""Throw-away distributions: real folders with a dist-info on the import path, found as pip's are."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llamafarm.plugins.discovery import candidates

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install(name, source, plugins={...}, requires=[...]) makes a distribution with one module and its entry points.

    The module is called as the distribution, with underscores. plugins: entry-point name -> target; by default one of
    the distribution's name without `acme-`. Returns the folder.
    """
    before = set(sys.modules)

    def make(
        name: str,
        source: str = "",
        *,
        version: str = "1.0",
        plugins: dict[str, str] | None = None,
        requires: tuple[str, ...] = (),
    ) -> Path:
        module = name.replace("-", "_")
        folder = tmp_path / "installed" / name
        info = folder / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        chosen = plugins if plugins is not None else {name.removeprefix("acme-"): module}
        lines = "".join(f"{key} = {target}\n" for key, target in chosen.items())
        (info / "entry_points.txt").write_text(f"[llamafarm.plugins]\n{lines}")
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield make
    for module in set(sys.modules) - before:
        if module.startswith("acme"):
            del sys.modules[module]


@pytest.fixture
def provider_source() -> Callable[..., str]:
    """The source of a plugin that registers one provider of that name."""

    def source(name: str, extra: str = "") -> str:
        return textwrap.dedent(f"""
            import llamafarm

            class Entry(llamafarm.ModelEntry):
                colour: int = 0

            @llamafarm.hookimpl
            def register_providers():
                yield llamafarm.ProviderSpec(
                    name={name!r},
                    summary="made for a test",
                    entry=Entry,
                    endpoint=lambda entry: llamafarm.Endpoint({name!r}, entry.base_url or "http://127.0.0.1:9/v1"),
                    connect=lambda endpoint: None,
                )
        """) + textwrap.dedent(extra)

    return source


@pytest.fixture
def from_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core was installed from a package index, and not from this clone."""
    monkeypatch.setattr("llamafarm.plugins.catalogue._clone", lambda: None)


@pytest.fixture
def uninstalled(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes a plugin that is installed beside the core out of sight."""

    def hide(name: str) -> None:
        found = tuple(one for one in candidates() if one.name != name)
        monkeypatch.setattr("llamafarm.plugins.loader.candidates", lambda: found)

    return hide
