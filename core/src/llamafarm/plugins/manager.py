"""The typed facade over the installed plugins: the only thing that the rest of LlamaFarm asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from llamafarm.errors import PluginError
from llamafarm.plugins import messages
from llamafarm.plugins.catalogue import Kind
from llamafarm.plugins.discovery import Candidate
from llamafarm.plugins.loader import SECONDS, Loader
from llamafarm.plugins.registration import name_of
from llamafarm.plugins.route_paths import clash
from llamafarm.plugins.status import AnyRecord, Loaded, PluginStatus, Record, row_of
from llamafarm.records import (
    AgentHandlerSpec,
    ConfigFragment,
    EntryBlock,
    ProviderSpec,
    RouteSpec,
    Section,
    ToolSourceSpec,
)

DISABLE = "LF_DISABLE_PLUGINS"
"""Plugins, or whole distributions, that are not loaded: names with commas between them."""

STRICT = "LF_STRICT_PLUGINS"
"""1: any broken plugin is an error, whether something needs it or not."""

TIMEOUT = "LF_PLUGIN_TIMEOUT"
"""Seconds that the import of one plugin, and each of its hooks, may take before it counts as broken."""


class PluginManager:
    """The providers, agent handlers, tool sources, routes and configuration fragments of the installed plugins.

    Nothing is imported before something is asked for by its name. The plugin of that name is loaded first, and all the
    others only where it does not bring what was asked for. disabled: names of plugins or distributions that are never
    imported; the core's own cannot be disabled.
    """

    def __init__(
        self, *, disabled: Iterable[str] = (), environ: Mapping[str, str] = os.environ, loader: Loader | None = None
    ) -> None:
        self._loader = loader or Loader(seconds=_seconds(environ))
        self._environ = environ
        self._by_environment = frozenset(filter(None, map(str.strip, environ.get(DISABLE, "").split(","))))
        self._disabled = frozenset(disabled)
        self._strict = environ.get(STRICT, "") not in ("", "0")

    def without(self, names: Iterable[str]) -> PluginManager:
        """The same plugins, each still loaded only once, but for these: how one project disables a plugin."""
        return PluginManager(disabled=self._disabled | frozenset(names), environ=self._environ, loader=self._loader)

    def provider(self, name: str) -> ProviderSpec:
        """The provider of that name. Raises PluginError where there is none, it is broken, or two plugins bring it."""
        return self._find("provider", ProviderSpec, name)

    def agent_handler(self, name: str) -> AgentHandlerSpec:
        """The agent handler of that name. Raises PluginError as `provider` does."""
        return self._find("agent handler", AgentHandlerSpec, name)

    def fragment(self, at: Section | EntryBlock) -> ConfigFragment | None:
        """The fragment for that place, or None. Raises PluginError where two plugins bring it, or a broken one might.

        An `EntryBlock` of a provider is also answered by a fragment for the entries of every provider.
        """
        found = self._search("configuration key", at.key, ConfigFragment, lambda fragment: _answers(fragment.at, at))
        if found is None and (blocked := self._blocked(at.key)):
            raise PluginError(messages.broken(blocked))
        return found

    def providers(self) -> dict[str, ProviderSpec]:
        """Every usable provider by its name; all plugins are loaded."""
        return {one.name: one for one in self._all(ProviderSpec)}

    def agent_handlers(self) -> dict[str, AgentHandlerSpec]:
        """Every usable agent handler by its name; all plugins are loaded."""
        return {one.name: one for one in self._all(AgentHandlerSpec)}

    def tool_sources(self) -> dict[str, ToolSourceSpec]:
        """Every usable kind of tool source by its name; all plugins are loaded."""
        return {spec.name: spec for spec in self._all(ToolSourceSpec)}

    def routes(self) -> list[RouteSpec]:
        """Every usable route, those of a plugin in its own order; all plugins are loaded."""
        return list(self._all(RouteSpec))

    def fragments(self) -> list[ConfigFragment]:
        """Every usable fragment; all plugins are loaded."""
        return list(self._all(ConfigFragment))

    def statuses(self, load: bool = True) -> list[PluginStatus]:
        """Every installed plugin with its status. load=False imports nothing, so that some are `not loaded`.

        Never raises, whatever is broken.
        """
        if load:
            self._load(self._enabled)
        return [self._status(candidate) for candidate in self._loader.candidates]

    @property
    def warnings(self) -> list[str]:
        """What a user should know about the plugins that were met so far and do not work."""
        return self._broken() + self._misnamed()

    def _broken(self) -> list[str]:
        broken = [row for row in self.statuses(load=False) if row.status in ("failed", "incompatible", "conflict")]
        return [messages.warning(row) for row in broken]

    def _misnamed(self) -> list[str]:
        """Names in LF_DISABLE_PLUGINS that disable nothing, where that can hardly be meant."""
        found: list[str] = []
        for name in sorted(self._by_environment):
            called = [one for one in self._loader.candidates if one.called([name])]
            installed = [one.name for one in self._loader.candidates]
            found += messages.misnamed(DISABLE, name, called, installed)
        return found

    def refuse_broken(self) -> None:
        """With LF_STRICT_PLUGINS=1, raise PluginError where any installed plugin does not work; else do nothing."""
        if self._strict:
            self._load(self._enabled)
            if broken := self._broken():
                raise PluginError("\n".join(broken), hint=f"{STRICT} makes every broken plugin an error.")

    def _find(self, kind: Kind, record: type[Record], name: str) -> Record:
        found = self._search(kind, name, record, lambda one: name_of(one) == name)
        if found is None:
            errors = [one.error for one in self._loader.loaded if one.candidate.name == name]
            raise self._missing(kind, name, [name_of(one) for one in self._all(record)]) from next(iter(errors), None)
        return found

    def _search(self, kind: str, name: str, record: type[Record], matches: Callable[[Record], bool]) -> Record | None:
        """What the plugin called `name` brings, else what any brings. Raises PluginError where two plugins do."""
        self.refuse_broken()
        for stage in ([one for one in self._enabled if one.name == name], self._enabled):
            brought = [(loaded, one) for loaded in self._load(stage) for one in loaded.of(record) if matches(one)]
            found = [pair for pair in brought if pair[0].candidate.is_core] or brought
            if len(found) > 1:
                raise PluginError(messages.conflict(kind, name, [loaded for loaded, _ in found]))
            if found:
                return found[0][1]
        return None

    def _missing(self, kind: Kind, name: str, known: list[str]) -> PluginError:
        if blocked := self._blocked(name):
            return PluginError(messages.broken(blocked), code="plugin_failed")
        return messages.unknown(kind, name, known, [row for row in self.statuses() if _unknown(row)])

    def _blocked(self, name: str) -> PluginStatus | None:
        """The plugin called `name`, where it is there and does not work."""
        rows = [row for row in self.statuses(load=False) if row.name == name]
        return next((row for row in rows if row.status not in ("active", "not loaded")), None)

    def _all(self, record: type[Record]) -> Iterator[Record]:
        """Every record that is not in conflict; of the core's and another's, the core's."""
        self.refuse_broken()
        for loaded in self._load(self._enabled):
            for one in loaded.of(record):
                if not self._rivals(loaded, one):
                    yield one

    def _rivals(self, loaded: Loaded, record: AnyRecord) -> list[Loaded]:
        """The other plugins that bring the same; none for the core, which always wins."""
        if loaded.candidate.is_core:
            return []
        same = (one for one in self._loader.loaded if any(_same(record, theirs) for theirs in one.records))
        return [one for one in same if one is not loaded and one.candidate in self._enabled]

    @cached_property
    def _enabled(self) -> Collection[Candidate]:
        return {one: None for one in self._loader.candidates if one not in self._barred}.keys()

    @cached_property
    def _barred(self) -> dict[Candidate, PluginStatus]:
        """The plugins that are never loaded, each with its status; the core's own is none of them.

        Of several with one entry-point name neither is loaded, since the name would say nothing.
        """
        reasons = {one: self._why_disabled(one) for one in self._loader.candidates}
        barred = {one: row_of(one, "disabled", why) for one, why in reasons.items() if why}
        left = [one for one in self._loader.candidates if one not in barred]
        for candidate in left:
            namesakes = [one for one in left if one.name == candidate.name and one != candidate]
            if namesakes and not candidate.is_core:
                barred[candidate] = row_of(candidate, "conflict", messages.namesakes(candidate, namesakes))
        return barred

    def _why_disabled(self, candidate: Candidate) -> str | None:
        if candidate.is_core:
            return None
        if candidate.called(self._by_environment):
            return f"it is named in {DISABLE}"
        return "it is disabled in the configuration" if candidate.called(self._disabled) else None

    def _load(self, wanted: Iterable[Candidate]) -> list[Loaded]:
        return [self._loader.load(candidate) for candidate in wanted]

    def _status(self, candidate: Candidate) -> PluginStatus:
        if candidate in self._barred:
            return self._barred[candidate]
        loaded = next((one for one in self._loader.loaded if one.candidate == candidate), None)
        if loaded is None:
            return row_of(candidate, "not loaded")
        rivals = [(record, rival) for record in loaded.records for rival in self._rivals(loaded, record)]
        if rivals and loaded.row.status == "active":
            return replace(loaded.row, status="conflict", cause=messages.rivals(rivals))
        return loaded.row


def _unknown(row: PluginStatus) -> bool:
    """Whether it does not work, and nobody knows all that it would bring."""
    return row.status in ("failed", "incompatible") or (row.status == "conflict" and not row.hooks)


def _seconds(environ: Mapping[str, str]) -> float:
    given = environ.get(TIMEOUT, "")
    try:
        seconds = float(given or SECONDS)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise PluginError(f"{TIMEOUT} is {given!r}: a number of seconds above 0 was expected.")
    return seconds


def _same(one: Any, other: Any) -> bool:
    """Whether two records claim the same name or place."""
    if isinstance(one, ConfigFragment) and isinstance(other, ConfigFragment):
        return _answers(one.at, other.at) or _answers(other.at, one.at)
    if isinstance(one, RouteSpec) and isinstance(other, RouteSpec):
        return clash(one, other)
    return type(one) is type(other) and name_of(one) == name_of(other)


def _answers(at: Section | EntryBlock, asked: Section | EntryBlock) -> bool:
    if isinstance(at, EntryBlock) and isinstance(asked, EntryBlock):
        return at.key == asked.key and at.provider in (None, asked.provider)
    return at == asked
