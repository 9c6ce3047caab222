"""The public names of a package, imported when they are first used (PEP 562).

A package lists them once, as imports in the `__init__.pyi` beside its `__init__.py`: type checkers and editors read
that file, and so does `attach`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def homes(file: str) -> dict[str, str]:
    """The public names of a package, each with the module that it comes from. file: the package's `__init__.py`."""
    stub = Path(file).with_suffix(".pyi").read_text(encoding="utf-8")
    imports = [line.split() for line in stub.splitlines() if line.startswith("from ")]
    return {name: home for _, home, _, name, *_ in imports}


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package. file: its `__init__.py`."""
    home_of = homes(file)

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = home_of[name]
        value = import_module(f"{home}.{name}") if home == package else getattr(import_module(home), name)
        setattr(import_module(package), name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *home_of})

    return get, names, sorted(home_of)
