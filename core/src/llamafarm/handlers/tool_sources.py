"""Tools that LlamaFarm itself calls: what a source of them is, and how a turn reaches those of its project."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llamafarm.errors import ConfigError


@dataclass(frozen=True)
class Tool:
    """A function that models may call. parameters: the JSON Schema of its arguments, an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True)
class ToolResult:
    """What a call gave. content: the text for the model. is_error: whether it says why the call failed."""

    content: str
    is_error: bool = False


class ToolSource(Protocol):
    """One place that has tools, such as a server. All turns of a project share it, several at once.

    It connects when it is first asked, and again where its connection has broken. Its methods raise ToolSourceError
    where it cannot be reached, breaks off or breaks its protocol; cancelling them ends the call at the source too.
    """

    async def list(self) -> list[Tool]:
        """The tools that it has now."""

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call one of them. What the tool itself says of its failure is a result, not an exception."""

    async def aclose(self) -> None:
        """End the connection, and the process where there is one. It may be called twice."""


class ToolSources:
    """The tool sources of a project by their names: here those that it is given, in the gateway those of its file."""

    def __init__(self, sources: Mapping[str, ToolSource] | None = None) -> None:
        self._sources = dict(sources or {})

    async def names(self) -> Collection[str]:
        """The sources that there are. Raises PluginError where two plugins bring one name."""
        return self._sources.keys()

    async def get(self, name: str) -> ToolSource:
        """The source of that name. Raises ConfigError where there is none, with the nearest one."""
        if name not in self._sources:
            raise unknown_source(name, self._sources.keys())
        return self._sources[name]


def unknown_source(name: str, known: Collection[str]) -> ConfigError:
    """The error for a source that a project does not declare."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return ConfigError(
        f"There is no tool source {name!r} in this project.",
        hint=f"{hint}Tool sources: {', '.join(known) or 'none; `mcp_servers` declares some'}.",
    )
