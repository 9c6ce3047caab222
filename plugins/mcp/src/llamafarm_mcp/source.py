"""A server as a source of tools: connected when it is first asked, and again where it has gone away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm import Tool, ToolResult
from llamafarm.errors import ToolSourceError
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED

from llamafarm_mcp.connection import Connection
from llamafarm_mcp.results import tool_result

if TYPE_CHECKING:
    from llamafarm_mcp.config import McpServer

Tools = list[Tool]

MAX_PAGES = 100
"""Pages of one list of tools: a server whose list never ends is an error."""


class McpSource:
    """One server of the section `mcp_servers`."""

    def __init__(self, name: str, server: McpServer, folder: Path) -> None:
        self._name = name
        self._server = server
        self._folder = folder
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def list(self) -> Tools:
        """The tools that the server has now. A connection that has ended since it was last used is made anew."""
        is_old = self._connection is not None
        try:
            return await self._list()
        except ToolSourceError:
            if not is_old:
                raise
        return await self._list()

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool, once: what may have happened is not done twice."""
        connection = await self._connected()
        try:
            return tool_result(await connection.client.call_tool(name, dict(arguments)))
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                return ToolResult(error.message, is_error=True)
            raise await self._lost(connection, error) from error
        except Exception as error:
            raise await self._lost(connection, error) from error

    async def aclose(self) -> None:
        """End the connection, and the program where there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def _list(self) -> Tools:
        connection = await self._connected()
        tools: Tools = []
        cursor: str | None = None
        try:
            for _ in range(MAX_PAGES):
                page = await connection.client.list_tools(cursor=cursor)
                tools += [Tool(tool.name, tool.description or "", tool.input_schema) for tool in page.tools]
                if not (cursor := page.next_cursor):
                    return tools
        except Exception as error:
            raise await self._lost(connection, error) from error
        raise connection.failure(f"has a list of tools with more than {MAX_PAGES} pages")

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None:
                connection = Connection(self._name, self._server, self._folder)
                await connection.open()
                self._connection = connection
            return self._connection

    async def _lost(self, connection: Connection, error: Exception) -> ToolSourceError:
        """Close a connection that has failed, so that the next one to ask connects anew; return what to tell."""
        if self._connection is connection:
            self._connection = None
        await connection.aclose()
        return connection.explained(error)
