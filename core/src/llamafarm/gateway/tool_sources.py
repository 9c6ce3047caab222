"""The tool sources that a project's file declares, made when they are first asked for and shared by all its turns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from llamafarm.errors import PluginError
from llamafarm.handlers.tool_sources import ToolSource, ToolSources, unknown_source
from llamafarm.plugins.blame import blaming
from llamafarm.project import Project

if TYPE_CHECKING:
    from llamafarm.records import ToolSourceSpec

log = logging.getLogger(__name__)


class DeclaredSources(ToolSources):
    """The tool sources of one project. specs: the kinds that plugins registered; called once, off the event loop."""

    def __init__(self, project: Project, specs: Callable[[], Mapping[str, ToolSourceSpec]]) -> None:
        super().__init__()
        self._project = project
        self._specs = specs
        self._kinds: Mapping[str, ToolSourceSpec] | None = None
        self._looking = asyncio.Lock()

    async def names(self) -> Collection[str]:
        return (await self._declared()).keys()

    async def get(self, name: str) -> ToolSource:
        kinds = await self._declared()
        if name not in kinds:
            raise unknown_source(name, kinds.keys())
        if name not in self._sources:
            with blaming(f"The tool source {name!r}", PluginError):
                self._sources[name] = kinds[name].connect(self._project, name)
        return self._sources[name]

    async def aclose(self) -> None:
        """Close those that were made; one that does not close is told in the log and harms no other."""
        sources, self._sources = self._sources, {}
        await asyncio.gather(*(_close(name, source) for name, source in sources.items()))

    async def _declared(self) -> Mapping[str, ToolSourceSpec]:
        async with self._looking:
            if self._kinds is None:
                self._kinds = _kinds_by_source(self._project, await asyncio.to_thread(self._specs))
            return self._kinds


def _kinds_by_source(project: Project, specs: Mapping[str, ToolSourceSpec]) -> dict[str, ToolSourceSpec]:
    kinds: dict[str, ToolSourceSpec] = {}
    for spec in specs.values():
        with blaming(f"The tool source kind {spec.name!r}", PluginError):
            names = list(spec.names(project))
        for name in names:
            if (other := kinds.setdefault(name, spec)) is not spec:
                raise PluginError(
                    f"The tool source {name!r} is declared twice, for {other.name!r} and for {spec.name!r}.",
                    hint="Rename one of them in llamafarm.yaml.",
                )
    return kinds


async def _close(name: str, source: ToolSource) -> None:
    try:
        await source.aclose()
    except Exception as error:  # noqa: BLE001 - the others are to be closed too
        log.warning("The tool source %r did not close: %s", name, error)
