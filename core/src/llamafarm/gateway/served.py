"""One project while it is served: what its entries lead to, their agent handlers, and the answers that are running."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llamafarm.errors import PluginError
from llamafarm.gateway.dispatch import Dispatcher, Lease
from llamafarm.gateway.tool_sources import DeclaredSources
from llamafarm.handlers.link import Link
from llamafarm.handlers.select import build_link, chain_names, check_fields
from llamafarm.plugins.blame import blaming
from llamafarm.project import Project
from llamafarm.providers.entry import ModelEntry

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

log = logging.getLogger(__name__)


class Served:
    """Everything of a project that is made once and kept until it is read again."""

    def __init__(self, project: Project, plugins: PluginManager, dispatcher: Dispatcher) -> None:
        self.project = project
        self.plugins = plugins
        self.tool_sources = DeclaredSources(project, plugins.tool_sources)
        self._dispatcher = dispatcher
        self._leases: dict[str, Lease] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._chains: dict[tuple[str, tuple[str, ...], bool], tuple[Link, ...]] = {}
        self._owners: Mapping[str, str] | None = None
        self._looking = asyncio.Lock()
        self._running: set[object] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def lease(self, entry: ModelEntry) -> Lease:
        """What an entry of the project leads to. Raises PluginError."""
        if entry.name not in self._leases:
            self._leases[entry.name] = self._dispatcher.lease(entry)
        return self._leases[entry.name]

    def chain(self, entry: ModelEntry, wanted: tuple[str, ...] = (), *, by_operator: bool = False) -> tuple[Link, ...]:
        """The agent handlers of an entry, the outermost first. wanted: those that a request or the operator chooses.

        Raises RequestError, ConfigError and PluginError.
        """
        key = (entry.name, wanted, by_operator)
        if key not in self._chains:
            names = chain_names(self.project, entry, wanted, by_operator=by_operator)
            self._chains[key] = self.links(entry, names)
        return self._chains[key]

    def links(self, entry: ModelEntry, names: tuple[str, ...]) -> tuple[Link, ...]:
        """Agent handlers of an entry, each built once. Raises ConfigError and PluginError."""
        links = tuple(self._link(name, entry) for name in names)
        check_fields(links, entry)
        return links

    async def field_owners(self) -> Mapping[str, str]:
        """The agent handler that owns each request field; every plugin is loaded for that, once, off the event loop."""
        async with self._looking:
            if self._owners is None:
                handlers = await asyncio.to_thread(self.plugins.agent_handlers)
                self._owners = {field: spec.name for spec in handlers.values() for field in spec.fields}
            return self._owners

    def begin(self) -> Callable[[], None]:
        """Count one more running answer; the function that is returned says that it has ended, and may do so twice."""
        answer = object()
        self._running.add(answer)
        self._idle.clear()

        def end() -> None:
            self._running.discard(answer)
            if not self._running:
                self._idle.set()

        return end

    async def wait_until_idle(self) -> None:
        """Wait until no answer is running."""
        await self._idle.wait()

    async def aclose(self) -> None:
        """Close the handlers, then the tool sources; what does not close is told in the log and harms no other."""
        links, self._links = self._links, {}
        self._chains.clear()
        await asyncio.gather(*map(_close, links.values()))
        await self.tool_sources.aclose()

    def _link(self, name: str, entry: ModelEntry) -> Link:
        key = (entry.name, name)
        if key not in self._links:
            self._links[key] = build_link(name, self.project, entry, self.plugins)
        return self._links[key]


async def _close(link: Link) -> None:
    try:
        with blaming(f"The agent handler {link.name!r}", PluginError):
            await link.aclose()
    except PluginError as error:
        log.warning("%s", error.message)
    except Exception as error:  # noqa: BLE001 - the others are to be closed too
        log.warning("The agent handler %r did not close: %s", link.name, error)
