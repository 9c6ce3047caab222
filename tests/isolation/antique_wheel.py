"""Writes the wheel of the antique plugin: written once, against LlamaFarm 0.1, and never again.

Every later LlamaFarm must load that very file (test_antique_plugin.py). Where it does not, plugins of strangers do
not work any more either: mend LlamaFarm and leave the wheel as it is. The same text gives the same bytes.

    python tests/isolation/antique_wheel.py
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "antique"
sys.path[:0] = [str(HERE.parents[1])]

from wheels import write_wheel  # noqa: E402

WHEEL = HERE / "acme_antique-1.0-py3-none-any.whl"


def build(folder: Path) -> Path:
    """Write the wheel into `folder` from the source beside it."""
    package = HERE / "acme_antique"
    files = {f"{package.name}/{file.name}": file.read_text() for file in sorted(package.glob("*.py"))}
    plugins = {"antique": "acme_antique.plugin"}
    return write_wheel(folder, "acme-antique", files, plugins=plugins, requires=["llamafarm>=0.1"])


if __name__ == "__main__":
    build(HERE)
