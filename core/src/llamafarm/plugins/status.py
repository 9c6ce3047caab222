"""What is known of an installed plugin: its row in `lf plugins list`, and what it has brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from llamafarm.plugins.discovery import Candidate
from llamafarm.records import AgentHandlerSpec, ConfigFragment, ProviderSpec, RouteSpec, ToolSourceSpec

AnyRecord = ProviderSpec | AgentHandlerSpec | ConfigFragment | ToolSourceSpec | RouteSpec
Record = TypeVar("Record", ProviderSpec, AgentHandlerSpec, ConfigFragment, ToolSourceSpec, RouteSpec)
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
    tool_sources: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A candidate after the attempt to load it. error: what was raised, for a traceback with `--debug`."""

    candidate: Candidate
    row: PluginStatus
    records: tuple[AnyRecord, ...] = ()
    error: BaseException | None = None

    def of(self, kind: type[Record]) -> tuple[Record, ...]:
        """The records of one kind."""
        return tuple(record for record in self.records if isinstance(record, kind))


def row_of(candidate: Candidate, status: Status, cause: str | None = None) -> PluginStatus:
    """The row of a plugin of which nothing is known but its metadata."""
    return PluginStatus(candidate.name, candidate.distribution, candidate.version, status, cause)
