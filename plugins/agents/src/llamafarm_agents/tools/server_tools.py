"""The tools that LlamaFarm itself calls, as a model is told of them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

import llamafarm
from llamafarm import all_of
from llamafarm.errors import ConfigError, ToolSourceError

from llamafarm_agents.structured.schema import Checked, JsonSchema
from llamafarm_agents.tools.functions import Definition
from llamafarm_agents.tools.options import OTHERS, ToolsOptions
from llamafarm_agents.tools.simple_schema import Simplified

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64


@dataclass(frozen=True)
class ServerTool:
    """A tool of a source. name: what the model calls it by."""

    name: str
    source_name: str
    source: llamafarm.ToolSource
    tool: llamafarm.Tool

    @cached_property
    def simplified(self) -> Simplified:
        return Simplified(self.tool.parameters)

    @cached_property
    def _schema(self) -> JsonSchema:
        """The whole schema; where the source gives none that is one, what can be read of it."""
        try:
            return JsonSchema("arguments", {"type": "object", **self.tool.parameters})
        except ValueError:
            return JsonSchema("arguments", {"type": "object"})

    def definition(self) -> Definition:
        """It as a request has it, in words that every runtime understands."""
        described = {"description": self.tool.description} if self.tool.description else {}
        return {
            "type": "function",
            "function": {"name": self.name, **described, "parameters": self.simplified.schema},
        }

    def check(self, arguments: str) -> Checked:
        """The arguments of a call, or what is wrong with them."""
        return self._schema.check(arguments.strip() or "{}")


async def server_tools(turn: llamafarm.Turn, options: ToolsOptions, taken: Collection[str]) -> dict[str, ServerTool]:
    """The tools of the project's sources that the options allow, by the names that a model calls them by.

    taken: the names of the client's functions. A tool whose name another one has too is called `SOURCE__TOOL`. Raises
    ToolSourceError for a source that cannot be reached, and ConfigError for one that is not there, and for more tools
    than `max_tools`.
    """
    allowed = await _allowed_sources(turn, options)
    listed = await all_of(_listed(turn, name, options.total_timeout) for name in allowed)
    tools = [
        tool
        for name, of_source in zip(allowed, listed, strict=True)
        for tool in _matching(turn, name, of_source, allowed[name])
    ]
    if tools and len(tools) + len(taken) > options.max_tools:
        raise _too_many(tools, len(taken), options.max_tools)
    named = _unlike(turn, tools, taken)
    for tool in named.values():
        if lost := tool.simplified.lost:
            turn.note("tools", tool=tool.name, source=tool.source_name, simplified=sorted(lost))
    return named


async def _allowed_sources(turn: llamafarm.Turn, options: ToolsOptions) -> dict[str, list[str]]:
    """The names of the sources, each with the patterns of its tools."""
    if options.sources == {}:
        return {}
    wanted = {OTHERS: ["*"]} if options.sources is None else options.sources
    named = {name: patterns for name, patterns in wanted.items() if name != OTHERS}
    if OTHERS not in wanted:
        return named
    return {name: wanted[OTHERS] for name in await turn.tool_sources.names() if name not in named} | named


async def _listed(turn: llamafarm.Turn, name: str, seconds: float) -> list[ServerTool]:
    source = await turn.tool_sources.get(name)
    try:
        async with asyncio.timeout(seconds):
            tools = await source.list()
    except TimeoutError:
        raise ToolSourceError(
            f"The tool source {name!r} has not said within {seconds:g} seconds which tools it has.",
            hint="Options of the agent handler 'tools': `sources` leaves it out, `total_timeout` gives it time.",
            status=504,
        ) from None
    return [ServerTool(_NOT_IN_NAMES.sub("_", tool.name)[:_MAX_NAME], name, source, tool) for tool in tools]


def _matching(
    turn: llamafarm.Turn, source: str, tools: Iterable[ServerTool], patterns: Collection[str]
) -> list[ServerTool]:
    tools = list(tools)
    for pattern in patterns:
        if pattern != "*" and not any(fnmatchcase(tool.tool.name, pattern) for tool in tools):
            turn.note("tools", source=source, pattern=pattern, because="no tool of the source has such a name")
    return [tool for tool in tools if any(fnmatchcase(tool.tool.name, pattern) for pattern in patterns)]


def _unlike(turn: llamafarm.Turn, tools: list[ServerTool], taken: Collection[str]) -> dict[str, ServerTool]:
    """The tools by their names; one whose name is not its own gets that of its source before it."""
    counts = Counter([*taken, *(tool.name for tool in tools)])
    named: dict[str, ServerTool] = {}
    for tool in tools:
        if counts[tool.name] > 1:
            prefixed = f"{_NOT_IN_NAMES.sub('_', tool.source_name)}__{tool.name}"[:_MAX_NAME]
            turn.note("tools", tool=tool.name, source=tool.source_name, called=prefixed)
            tool = replace(tool, name=prefixed)
        if tool.name in named or tool.name in taken:
            raise ConfigError(
                f"Two functions would be called {tool.name!r}; one is {tool.tool.name!r} of the tool source "
                f"{tool.source_name!r}.",
                hint="`sources` in the options of the agent handler 'tools' says which tools may be called.",
            )
        named[tool.name] = tool
    return named


def _too_many(tools: list[ServerTool], others: int, most: int) -> ConfigError:
    counts: Mapping[str, int] = Counter(tool.source_name for tool in tools)
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    functions = f" beside {others} functions of the client" if others else ""
    return ConfigError(
        f"The tool sources have {len(tools)} tools ({told}){functions}; a model is told of {most} at most.",
        hint="`sources` in the options of the agent handler 'tools' says which tools of each may be called, "
        "`{SOURCE: [NAME, read_*]}`; `max_tools` lets there be more.",
        code="too_many_tools",
    )
