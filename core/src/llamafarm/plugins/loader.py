"""From one candidate to one status: what is checked before its import, the import, and what is checked after it."""

from __future__ import annotations

import sys
import threading
from contextlib import redirect_stdout

import pluggy

from llamafarm import hookspecs
from llamafarm.plugins import trace
from llamafarm.plugins.discovery import Candidate, candidates
from llamafarm.plugins.limit import run_within
from llamafarm.plugins.registration import collect, explain
from llamafarm.plugins.status import Loaded, row_of

SECONDS = 20.0
"""How long the import of one plugin, and each of its hooks, may take where nothing else is said."""


class Loader:
    """Loads each candidate at most once; several managers may share one.

    Whatever a plugin prints goes to stderr: stdout carries the answer of the command and nothing else.
    seconds: how long the import of one plugin, and each of its hooks, may take; None is for ever.
    """

    def __init__(self, *, seconds: float | None = SECONDS) -> None:
        self._seconds = seconds
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
                return Loaded(candidate, row_of(candidate, "incompatible", why))
            with trace.step(f"import {candidate.target}"), redirect_stdout(sys.stderr):
                plugin = run_within(self._seconds_of(candidate), candidate.entry_point.load)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken plugin is a row in a list
            return _failed(candidate, explain(error, during=f"on import of {candidate.target}"), error)
        return self._register(candidate, plugin)

    def _seconds_of(self, candidate: Candidate) -> float | None:
        return None if candidate.is_core else self._seconds

    def _incompatibility(self, candidate: Candidate) -> str | None:
        if candidate.is_core:
            return None
        with trace.step(f"check what {candidate.label} requires"):
            return candidate.incompatibility

    def _register(self, candidate: Candidate, plugin: object) -> Loaded:
        if known := self._hooks.get_name(plugin):
            return _failed(candidate, f"it is the same module as {known}")
        try:
            with trace.step(f"register {candidate.label}"):
                self._hooks.register(plugin, candidate.label)
                self._hooks.check_pending()
        except Exception as error:  # noqa: BLE001 - the plugin's mistake is a row in a list, not ours to raise
            if self._hooks.is_registered(plugin):
                self._hooks.unregister(plugin)
            return _failed(candidate, explain(error, during="on registration"), error)
        if not self._hooks.get_hookcallers(plugin):
            return _failed(candidate, "it implements no hook; mark its functions with @llamafarm.hookimpl")
        with redirect_stdout(sys.stderr):
            return collect(candidate, self._hooks, plugin, self._seconds_of(candidate))


def _failed(candidate: Candidate, cause: str, error: BaseException | None = None) -> Loaded:
    return Loaded(candidate, row_of(candidate, "failed", cause), error=error)
