"""The kinds of stores that installed distributions bring, by the entry points `llamafarm_rag.stores`."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from llamafarm.errors import PluginError

from llamafarm_rag.store.base import StoreSpec

GROUP = "llamafarm_rag.stores"


def store_names() -> list[str]:
    """The names of all kinds that are installed."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def store_kind(name: str) -> StoreSpec:
    """The kind of that name. Raises ValueError where nothing brings it, and PluginError for one that is broken."""
    entries = installed(name)
    if not entries:
        names = store_names()
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ValueError(f"no installed plugin brings the store {name!r}. {hint}There are: {', '.join(names)}.")
    brought_by = sorted({_distribution(entry) for entry in entries})
    if len(brought_by) > 1:
        raise PluginError(f"{' and '.join(brought_by)} both bring the store {name!r}.", hint="Uninstall one of them.")
    return _load(entries[0])


@cache
def installed(name: str) -> tuple[EntryPoint, ...]:
    """The entry points of that name, looked for once: each look reads the metadata of everything that is installed."""
    return tuple(entry_points(group=GROUP, name=name))


def _load(entry: EntryPoint) -> StoreSpec:
    try:
        spec = entry.load()
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}"
        raise PluginError(f"The store {entry.name!r} of {_distribution(entry)} cannot be loaded: {why}") from error
    if not isinstance(spec, StoreSpec):
        raise PluginError(f"The store {entry.name!r} of {_distribution(entry)} is no StoreSpec: {entry.value}.")
    return spec


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
