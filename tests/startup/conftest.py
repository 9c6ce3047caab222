"""Plugins of strangers, installed for one test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest
from farms import Farm


@pytest.fixture
def install(farm: Farm) -> Callable[[str, str], None]:
    """install(name, source) makes a distribution `acme-NAME` with one plugin that every `lf` of the farm finds."""

    def make(name: str, source: str) -> None:
        folder = farm.folder / "installed" / name
        info = folder / f"acme_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[llamafarm.plugins]\n{name} = acme_{name}\n")
        (folder / f"acme_{name}.py").write_text(textwrap.dedent(source))
        before = farm.environ.get("PYTHONPATH")
        farm.environ["PYTHONPATH"] = f"{folder}:{before}" if before else str(folder)

    return make
