"""Media cost nothing where they are not decoded."""

from __future__ import annotations

import subprocess
import sys

IMPORT_ALL = """
import importlib, pkgutil, sys
import llamafarm_universal.media as media
for module in pkgutil.iter_modules(media.__path__, media.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted({"PIL", "av", "numpy", "torch", "starlette"} & set(sys.modules)))
"""


def test_no_module_imports_anything_heavy():
    assert subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True).stdout == "\n"
