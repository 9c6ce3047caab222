"""From one candidate to one status: what is checked before its import, the import, and what is checked after it."""

from __future__ import annotations

import sys
import threading
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Literal

import pluggy

from llamafarm import hookspecs
from llamafarm.plugins import trace
from llamafarm.plugins.discovery import Candidate, candidates
from llamafarm.plugins.limit import Limit
from llamafarm.plugins.registration import Registered, collect, explain

SECONDS = 20.0
"""How long the import of one plugin, and each of its hooks, may take where nothing else is said."""

UNLIMITED = Limit(None)

Status = Literal["active", "disabled", "incompatible", "conflict", "failed", "not loaded"]


@dataclass(frozen=True)
class PluginStatus:
    """One row of `lf plugins list`. cause: why the status is not `active`; None where it is, or is not known."""

    name: str
    distribution: str
    version: str
    status: Status
    cause: str | None = None
    hooks: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    fragments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A candidate after the attempt to load it. error: what was raised, for a traceback with `--debug`."""

    candidate: Candidate
    status: Literal["active", "incompatible", "failed"]
    cause: str | None = None
    registered: Registered = field(default_factory=Registered)
    error: BaseException | None = None


class Loader:
    """Loads each candidate at most once; several managers may share one.

    Whatever a plugin prints goes to stderr: stdout carries the answer of the command and nothing else.
    seconds: how long the import of one plugin, and each of its hooks, may take; None is for ever.
    """

    def __init__(self, *, seconds: float | None = SECONDS) -> None:
        self._limit = Limit(seconds)
        self._hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self._hooks.add_hookspecs(hookspecs)
        self._candidates: tuple[Candidate, ...] | None = None
        self._loaded: dict[Candidate, Loaded] = {}
        self._lock = threading.RLock()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The installed plugins; read from metadata at the first use."""
        if self._candidates is None:
            self._candidates = candidates()
        return self._candidates

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """Everything that has been loaded so far, in the order of `candidates`."""
        return tuple(filter(None, map(self._loaded.get, self.candidates)))

    def load(self, candidate: Candidate) -> Loaded:
        """Import and register one candidate. Never raises for what the plugin does."""
        with self._lock:
            if candidate not in self._loaded:
                self._loaded[candidate] = self._load(candidate)
            return self._loaded[candidate]

    def _load(self, candidate: Candidate) -> Loaded:
        try:
            if why := self._incompatibility(candidate):
                return Loaded(candidate, "incompatible", why)
            with trace.step(f"import {candidate.target}"), redirect_stdout(sys.stderr):
                plugin = self._limit_of(candidate).run(candidate.entry_point.load)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken plugin is a row in a list
            return Loaded(candidate, "failed", explain(error, during=f"on import of {candidate.target}"), error=error)
        return self._register(candidate, plugin)

    def _limit_of(self, candidate: Candidate) -> Limit:
        return UNLIMITED if candidate.is_core else self._limit

    def _incompatibility(self, candidate: Candidate) -> str | None:
        if candidate.is_core:
            return None
        with trace.step(f"check what {candidate.label} requires"):
            return candidate.incompatibility

    def _register(self, candidate: Candidate, plugin: object) -> Loaded:
        if known := self._hooks.get_name(plugin):
            return Loaded(candidate, "failed", f"it is the same module as {known}")
        try:
            with trace.step(f"register {candidate.label}"):
                self._hooks.register(plugin, candidate.label)
                self._hooks.check_pending()
        except Exception as error:  # noqa: BLE001 - the plugin's mistake is a row in a list, not ours to raise
            if self._hooks.is_registered(plugin):
                self._hooks.unregister(plugin)
            return Loaded(candidate, "failed", explain(error, during="on registration"), error=error)
        if not self._hooks.get_hookcallers(plugin):
            return Loaded(candidate, "failed", "it implements no hook; mark its functions with @llamafarm.hookimpl")
        with redirect_stdout(sys.stderr):
            registered = collect(self._hooks, plugin, self._limit_of(candidate))
        status: Literal["active", "failed"] = "failed" if registered.problems else "active"
        return Loaded(candidate, status, "; ".join(registered.problems) or None, registered, registered.error)
