"""LlamaFarm, for those who write plugins or use it from Python: every name is imported when it is first used.

A plugin is a module like this one, named by an entry point of group `llamafarm.plugins`::

    import llamafarm


    @llamafarm.hookimpl
    def register_providers():
        yield llamafarm.ProviderSpec(...)

What is special has a module of its own: `llamafarm.errors`, `llamafarm.wire`, `llamafarm.http`, `llamafarm.services`
and `llamafarm.web`. The list of names stands in `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

from llamafarm.lazy import attach
from llamafarm.version import VERSION

__version__ = VERSION

_get, __dir__, __all__ = attach(__name__, __file__)
__all__ += ["__version__"]

FIRST_EDITION = ("errors", "http", "services", "wire")
"""Where names are that stood here in the first edition: plugins that were written for it still load."""


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name in __all__:
        return _get(name)
    for module in (import_module(f"{__name__}.{home}") for home in FIRST_EDITION):
        if name in module.__all__:
            return getattr(module, name)
    return _get(name)
