"""A server of the official package for the tests: over stdio, or `python server.py PORT_FILE` over HTTP."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp_types import ImageContent, TextContent

server = MCPServer("barn")


@server.tool()
def weigh(cow: str) -> str:
    """The weight of a cow."""
    return f"{cow} weighs 640 kg."


@server.tool()
def fail(reason: str) -> str:
    """It always fails."""
    raise ValueError(reason)


@server.tool()
def environment() -> dict[str, Any]:
    """Where the server runs, and what of its environment it sees."""
    return {"folder": str(Path.cwd()), "barn": os.environ.get("BARN"), "secret": os.environ.get("LF_TEST_SECRET")}


@server.tool()
def look() -> list[TextContent | ImageContent]:
    """A picture of a cow."""
    return [TextContent(text="A cow:"), ImageContent(data="iVBORw0KGgo=", mime_type="image/png")]


@server.tool()
def big(megabytes: int) -> str:
    """A long text."""
    return "m" * (megabytes << 20)


@server.tool()
def die(word: str) -> str:
    """The server ends in the middle of this call."""
    print(word, file=sys.stderr, flush=True)
    os._exit(3)


@server.tool()
async def hang(log: str) -> str:
    """It never answers, and writes to a file when it is cancelled, and to another one when it begins."""
    Path(f"{log}.begun").touch()  # noqa: ASYNC240 - a moment
    try:
        await anyio.sleep_forever()
    finally:
        Path(log).write_text("cancelled")  # noqa: ASYNC240 - it is cancelled: nothing may be awaited
    return ""


@server.tool()
def pid() -> int:
    """The process of the server."""
    return os.getpid()


for number in range(int(os.environ.get("MORE_TOOLS", "0"))):
    server.add_tool(lambda: "", name=f"tool_{number}", description=f"Tool number {number}.")


def serve_http(port_file: Path) -> None:
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # clients wait in the queue while the server starts
    port_file.with_suffix(".new").write_text(str(listener.getsockname()[1]))
    port_file.with_suffix(".new").rename(port_file)
    config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["dead"]:
            sys.exit("There is no barn.")
        case ["silent"]:
            time.sleep(60)
        case [port_file]:
            serve_http(Path(port_file))
        case _:
            server.run(transport="stdio")
