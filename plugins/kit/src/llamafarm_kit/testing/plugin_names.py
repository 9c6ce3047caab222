"""Which names a plugin may give to what it brings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import importlib_metadata
from llamafarm import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section
from llamafarm.cli.lazy import COMMANDS_GROUP
from llamafarm.cli.main import ROWS
from llamafarm.handlers.plugin import register_agent_handlers
from llamafarm.plugins import catalogue
from llamafarm.plugins.catalogue import Kind
from llamafarm.plugins.discovery import Candidate, canonical
from llamafarm.plugins.registration import CORE_SECTIONS
from llamafarm.plugins.status import Loaded


def collisions(plugin: Loaded) -> Iterator[str]:
    """The names of a plugin that belong to the core or to an official distribution; none for those themselves."""
    candidate = plugin.candidate
    if candidate.is_core:
        return
    kinds: tuple[Kind, ...] = ("provider", "agent handler", "section")
    yield from _taken(candidate, "entry point", [candidate.name], kinds)
    yield from _taken(candidate, "provider", [one.name for one in plugin.of(ProviderSpec)], ("provider",))
    yield from _taken(candidate, "agent handler", [one.name for one in plugin.of(AgentHandlerSpec)], ("agent handler",))
    sections = [one.at.key for one in plugin.of(ConfigFragment) if isinstance(one.at, Section)]
    yield from _taken(candidate, "section", sections, ("section",))
    yield from (f"the command {name!r} is one of lf's own" for name in _commands(candidate) if name in ROWS)


def foreign(plugin: Loaded, explained: Mapping[str, str]) -> Iterator[str]:
    """What a plugin brings that its name is no beginning of, and that `explained` gives no reason for."""
    return (name for name in _brought(plugin) if not _is_of(plugin, name) and not explained.get(name, "").strip())


def reasonless(plugin: Loaded, explained: Mapping[str, str]) -> Iterator[str]:
    """The names in `explained` that are not brought, or are the plugin's own."""
    brought = _brought(plugin)
    return (name for name in explained if name not in brought or _is_of(plugin, name))


def _brought(plugin: Loaded) -> list[str]:
    """The names by which a configuration asks for what a plugin brings."""
    blocks = [one.at for one in plugin.of(ConfigFragment)]
    keys = [at.key for at in blocks if not (isinstance(at, EntryBlock) and at.provider == plugin.candidate.name)]
    return [*(one.name for one in plugin.of(ProviderSpec)), *(one.name for one in plugin.of(AgentHandlerSpec)), *keys]


def _is_of(plugin: Loaded, name: str) -> bool:
    return re.match(rf"{re.escape(plugin.candidate.name)}($|[-_.])", name) is not None


def _taken(candidate: Candidate, what: str, names: Iterable[str], kinds: tuple[Kind, ...]) -> Iterator[str]:
    for name in names:
        owners = {owner for kind in kinds for owner in _owners(kind, name)} - {canonical(candidate.distribution)}
        yield from (f"the {what} {name!r} is a name of {owner}" for owner in sorted(owners))


def _owners(kind: Kind, name: str) -> Iterator[str]:
    """The distributions, without their extras, that this name belongs to."""
    if requirement := catalogue.requirement(kind, name):
        yield canonical(requirement.partition("[")[0])
    if name in _of_the_core(kind):
        yield "llamafarm"


def _of_the_core(kind: Kind) -> set[str]:
    if kind == "agent handler":
        return {spec.name for spec in register_agent_handlers()}
    return set(CORE_SECTIONS) if kind == "section" else set()


def _commands(candidate: Candidate) -> list[str]:
    found = importlib_metadata.entry_points(group=COMMANDS_GROUP)
    return [one.name for one in found if one.dist and canonical(one.dist.name) == canonical(candidate.distribution)]
