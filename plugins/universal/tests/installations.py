"""Installations of the runtime that a test may take away."""

from __future__ import annotations

import shutil
from pathlib import Path

import llamafarm_universal


def installation(folder: Path) -> dict[str, str]:
    """A copy of the package, without the demonstration model, and the environment in which it is the one that runs."""
    source = Path(llamafarm_universal.__file__).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("demo_model", "__pycache__"))
    return {"PYTHONPATH": str(folder)}
