from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llamafarm_mcp.config import McpServer
from llamafarm_mcp.source import McpSource

PROGRAM = Path(__file__).with_name("server.py")
Make = Callable[..., McpSource]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes a source of the test server, which is closed at the end; other arguments and settings as they are given."""
    made: list[McpSource] = []

    def make(*arguments: str, **settings: Any) -> McpSource:
        program = {} if "url" in settings else {"command": sys.executable, "args": [str(PROGRAM), *arguments]}
        made.append(McpSource("barn", McpServer(**{**program, **settings}), tmp_path))
        return made[-1]

    yield make
    for source in made:
        await source.aclose()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of the test server, in a process of its own."""
    port_file = tmp_path / "port"
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(port_file)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text()}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def refusing() -> Iterator[Callable[[int], str]]:
    """The address of a server that answers everything with a status."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(int(self.path.strip("/")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_DELETE = do_POST  # noqa: N815 - the names of the library

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield lambda status: f"http://127.0.0.1:{server.server_port}/{status}"
        server.shutdown()
        thread.join()
