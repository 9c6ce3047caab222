"""Names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def importer(package: str, homes: Mapping[str, Sequence[str]], names: dict[str, Any]) -> Callable[[str], Any]:
    """Return the `__getattr__` of `package`, which keeps in `names` what it has imported.

    homes: the names that each module holds; a module that holds a name like its own is meant itself. It raises
    AttributeError for a name that has no home.
    """
    home_of = {name: home for home, held in homes.items() for name in held}

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = f"{package}.{home_of[name]}"
        module = import_module(home)
        names[name] = module if home.endswith(f".{name}") else getattr(module, name)
        return names[name]

    return get
