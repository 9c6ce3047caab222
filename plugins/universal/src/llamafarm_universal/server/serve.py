"""From settings to a listening server, and to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Sequence

from llamafarm.errors import LlamaFarmError
from llamafarm.web import Server as WebServer
from llamafarm.web import listen, require_key
from llamafarm.web import run as run_until_told

from llamafarm_universal.server.app import create_app
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.settings import API_KEY, read_settings

log = logging.getLogger(__name__)

IDLE_CHECK_SECONDS = 1.0
MAX_FILES = 65_536
"""More connections than queues let in."""
SWITCH_SECONDS = 0.0005
"""After this long a thread that reads a large body lets the event loop go on; an answer takes several such turns."""


def run(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM, Ctrl-C or the idle time-out. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("llamafarm.access").setLevel(logging.WARNING)  # who asks the runtime keeps a log of its own
    try:
        settings = read_settings(arguments, os.environ)
        require_key(settings.host, settings.api_key, variable=API_KEY)
        server = Server(Runtime(settings))
        listener = listen(settings.host, settings.port)
    except LlamaFarmError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_connections()
    with listener:
        try:
            run_until_told(server, listener)
        except KeyboardInterrupt:
            pass
    return 0


class Server(WebServer):
    """Says where it listens, and stops when it has been idle for long enough or was uninstalled."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(create_app(runtime), grace=runtime.settings.grace_seconds, announce=_announce)
        self._runtime = runtime
        self._watches: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._watches.append(asyncio.create_task(self._stop_when_removed()))
        if self._runtime.settings.idle_timeout > 0:
            self._watches.append(asyncio.create_task(self._stop_when_idle(self._runtime.settings.idle_timeout)))

    async def _stop_when_removed(self) -> None:
        await self._runtime.installation.wait_gone()
        missing = self._runtime.installation.missing
        log.error("%s is gone: this runtime was removed or moved, and can start nothing any more. Stopping.", missing)
        self.should_exit = True

    async def _stop_when_idle(self, limit: float) -> None:
        while not self.should_exit:
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, limit))
            if self._runtime.activity.idle_seconds >= limit and not len(self._runtime.files):
                log.info("No request for %g s: stopping.", limit)
                self.should_exit = True


def _allow_connections() -> None:
    """Let each request that waits have its connection: systems allow a process 1,024 files unless it asks for more."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # a system that has a lower limit than it says
        log.warning("This process may have %d files and connections open at once.", soft)


def _announce(url: str) -> None:
    sys.stdout.write(f"Universal Runtime listens on {url}\n")
    sys.stdout.flush()
