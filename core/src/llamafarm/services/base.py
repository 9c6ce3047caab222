"""What a service is: a runtime that LlamaFarm can start by itself; and which ones a project needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from llamafarm.project import BrokenEntry
from llamafarm.providers.base import Progress

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager
    from llamafarm.project import Project

State = Literal["running", "foreign", "stopped"]


@dataclass(frozen=True)
class ServiceStatus:
    """What is known of a service now.

    state: `running` is ours, `foreign` answers but was started by somebody else, `stopped` does not answer.

    since: seconds since 1970. log: the file that the process writes. obstacle: why one that is stopped cannot be
    started here: its program is not installed, for instance, or another one uses the port.
    """

    name: str
    state: State
    address: str
    pid: int | None = None
    since: float | None = None
    version: str | None = None
    log: Path | None = None
    obstacle: str | None = None


class Service(Protocol):
    """A runtime that LlamaFarm can start, watch and stop. Making one costs nothing and starts nothing.

    What is known of it lies in files and in the system, so that each `lf` command can make one anew. ProcessService is
    the one for child processes. Where entries share a service and the user may name one of their models by the
    environment, an attribute `chosen` says that this one is it.
    """

    @property
    def name(self) -> str:
        """The provider's name, with `:PORT` after it where the address is not the provider's default."""

    async def ensure(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """Return at once where the runtime answers; else start it and wait until it does. Raises ServiceError.

        A runtime that somebody else started is used as it is. Of several callers at once, one starts it.
        """

    async def start(self, progress: Callable[[Progress], None]) -> ServiceStatus:
        """Like `ensure`, for a user who asked for it."""

    async def stop(self) -> bool:
        """Stop what we started; True where there was something to stop. Raises ServiceError for a foreign one."""

    async def status(self) -> ServiceStatus:
        """What is there now."""


def services_of(project: Project, plugins: PluginManager) -> list[Service]:
    """The services of the project's entries, each once, in the order of the entries. Broken entries have none.

    Of several entries that share one, the first says how it is started, unless the service of another one is `chosen`:
    the user named that entry's model.
    """
    found: dict[str, Service] = {}
    for entry in project.models:
        if isinstance(entry, BrokenEntry):
            continue
        make = plugins.provider(entry.provider).service
        service = make(entry) if make is not None else None
        if service is not None and (service.name not in found or getattr(service, "chosen", False)):
            found[service.name] = service
    return list(found.values())
