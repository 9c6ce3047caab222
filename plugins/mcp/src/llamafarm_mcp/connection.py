"""One connection to a server, from its handshake to its end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamafarm.errors import ToolSourceError
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, Implementation

from llamafarm_mcp.http import MAX_MESSAGE, LastStatus, http_client
from llamafarm_mcp.last_words import LastWords

if TYPE_CHECKING:
    from llamafarm_mcp.config import McpServer

CLOSE_SECONDS = 10.0
"""How long a connection may take to end before its task is cancelled; the library bounds the end of a program."""

HINTS = {
    401: "It wants credentials: give them in `headers`, `Authorization: Bearer ${TOKEN}` for instance.",
    403: "It does not let these `headers` in.",
    404: "Is `url` the address of its MCP endpoint? It often ends with /mcp.",
    405: "Is `url` the address of its MCP endpoint? It often ends with /mcp.",
}
"""What to do about a refusal, by its HTTP status."""

CLIENT = Implementation(name="llamafarm", version="0.1")

log = logging.getLogger(__name__)
logging.getLogger("mcp").addHandler(logging.NullHandler())  # its tracebacks are for who asks for logs: errors say it


class Connection:
    """A client that has shaken hands, held by a task of its own.

    The library's scopes must be left by the task that entered them, and turns come and go in tasks of others.
    """

    def __init__(self, name: str, server: McpServer, folder: Path) -> None:
        self._name = name
        self._server = server
        self._folder = folder
        self._closing = asyncio.Event()
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._words = LastWords(name)
        self._status = LastStatus()
        self._task: asyncio.Task[None] | None = None

    @property
    def client(self) -> Client:
        """What the server is asked by, once the connection is open."""
        return self._client.result()

    async def open(self) -> None:
        """Connect. Raises ToolSourceError."""
        self._task = asyncio.create_task(self._hold(), name=f"mcp {self._name}")
        try:
            async with asyncio.timeout(self._server.connect_timeout):
                await asyncio.shield(self._client)
        except TimeoutError:
            await self.aclose()
            message = f"did not answer within {self._server.connect_timeout:g} s"
            raise self.failure(message, "`connect_timeout` of the server gives it longer.") from None
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the connection, and the program where there is one. It may be called twice."""
        self._closing.set()
        if self._task is None:
            return
        if not self._client.done():
            self._task.cancel()
        done, _ = await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)

    def failure(self, what: str, hint: str | None = None) -> ToolSourceError:
        """The error that says what the server did, with what it wrote to stderr last."""
        words = self._words.text()
        written = f" It wrote:\n{words}" if words else ""
        where = f"`mcp_servers.{self._name}` of llamafarm.yaml says how it is reached."
        return ToolSourceError(f"The MCP server {self._name!r} {what}.{written}", hint=hint or where)

    def explained(self, error: BaseException) -> ToolSourceError:
        """The error of a connection that failed or broke."""
        if isinstance(error, BaseExceptionGroup):
            return self.explained(error.exceptions[0])
        if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
            return self.failure(f"cannot be started: {error.strerror}: {error.filename or self._server.command}")
        if self._status.refusal:
            return self.failure(f"refused with {self._status.refusal}", HINTS.get(self._status.code))
        if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
            return self.failure("broke the connection off")
        return self.failure(f"cannot be reached: {error or type(error).__name__}")

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                transport = await self._transport(stack)
                client = await stack.enter_async_context(Client(transport, cache=None, client_info=CLIENT))
                self._words.started()
                self._client.set_result(client)
                await self._closing.wait()
        except Exception as error:
            if self._client.done():
                log.debug("The connection to the MCP server %r ended badly.", self._name, exc_info=True)
            else:
                await asyncio.sleep(0)  # what the program wrote last is read now
                self._client.set_exception(self.explained(error))
        finally:
            self._client.cancel()

    async def _transport(self, stack: AsyncExitStack) -> Any:
        if self._server.url is not None:
            client = http_client(self._server.headers, self._status, self._server.connect_timeout)
            await stack.enter_async_context(client)
            return streamable_http_client(str(self._server.url), http_client=client, max_sse_event_size=MAX_MESSAGE)
        assert self._server.command is not None
        words = await stack.enter_async_context(self._words)
        assert words.file is not None
        program = StdioServerParameters(
            command=self._server.command,
            args=self._server.args,
            env=self._server.env,
            cwd=self._server.cwd or self._folder,
            encoding_error_handler="replace",
        )
        return stdio_client(program, errlog=words.file)
