"""The plugin: the section `mcp_servers`, and its servers as sources of tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import llamafarm

from llamafarm_mcp.config import McpServers

if TYPE_CHECKING:
    from llamafarm.project import Project

    from llamafarm_mcp.source import McpSource

SECTION = "mcp_servers"


def servers_of(project: Project) -> McpServers:
    """The servers that the project's file declares; none where it has no such section."""
    return cast("McpServers", project.sections.get(SECTION) or McpServers({}))


def connect(project: Project, name: str) -> McpSource:
    """The source of one server; it connects when it is first asked."""
    from llamafarm_mcp.source import McpSource

    folder = project.path.parent if project.path else Path.cwd()
    return McpSource(name, servers_of(project).root[name], folder)


@llamafarm.hookimpl
def register_config_fragments() -> Iterable[llamafarm.ConfigFragment]:
    yield llamafarm.ConfigFragment(at=llamafarm.Section(SECTION), model=McpServers)


@llamafarm.hookimpl
def register_tool_sources() -> Iterable[llamafarm.ToolSourceSpec]:
    yield llamafarm.ToolSourceSpec(
        name="mcp",
        summary="Servers of the Model Context Protocol.",
        names=lambda project: servers_of(project).root,
        connect=connect,
    )
