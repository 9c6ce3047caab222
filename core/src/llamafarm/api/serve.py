"""`lf serve`: the API in a process of its own."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from llamafarm.api.app import create_app
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits, Settings
from llamafarm.config import load_project, refuse_own_address
from llamafarm.errors import UsageError
from llamafarm.gateway import Gateway
from llamafarm.paths import data_dir
from llamafarm.project import Project
from llamafarm.sessions import SessionStore

if TYPE_CHECKING:
    from llamafarm.plugins.manager import PluginManager

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients keep theirs, so that none is closed under a request."""
GRACE_SECONDS = 10
"""How long answers that are running when the server is told to stop may take to end."""


def serve(
    host: str,
    port: int,
    *,
    plugins: PluginManager,
    config: Path | None = None,
    debug: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Serve until SIGTERM or Ctrl-C. port 0: any free one; config: the file of the default project, if there is one.

    The address is printed on stderr. Raises UsageError where the address cannot be used, or may not be without a key,
    and ConfigError for a wrong configuration, also one whose model entry points back at this server.
    """
    _log_to_stderr(debug=debug)
    limits = Limits.of(environ, host=host)
    with _listen(host, port) as listener:
        own_port = listener.getsockname()[1]

        def load(path: Path) -> Project:
            project = load_project(path, plugins, environ=environ)
            refuse_own_address(project, host, own_port)
            return project

        projects = Projects(load(config) if config else None, root=data_dir(environ) / "projects", load=load)
        gateway = Gateway(plugins, sessions=SessionStore(data_dir(environ) / "sessions.db"))
        for warning in plugins.warnings:
            log.warning("%s", warning)
        _run(Settings(gateway, projects, plugins, limits), listener)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except socket.gaierror as error:
        raise UsageError(f"There is no address {host!r}: {error.strerror}.", status=400) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"Stop the program that uses it, or choose another one: `lf serve --port {port + 1}`."
            raise UsageError(f"Port {port} of {host} is in use.", hint=hint) from None
        raise UsageError(f"The server cannot listen on {host}, port {port}: {error.strerror}.") from None


def _run(settings: Settings, listener: socket.socket) -> None:
    config = uvicorn.Config(
        create_app(settings),
        access_log=False,  # ours carries the request id
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who the client is said to be
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once it has stopped
    try:
        _Server(config).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            name = f"[{host}]" if ":" in host else host
            print(f"LlamaFarm listens on http://{name}:{port}/v1", file=sys.stderr, flush=True)  # noqa: T201


def _log_to_stderr(*, debug: bool) -> None:
    """Requests and their outcomes; never what was said in them. Tracebacks of plugins show with --debug."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("llamafarm").setLevel(logging.DEBUG if debug else logging.INFO)
