"""From settings to a listening server, and to its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

import uvicorn
from llamafarm.errors import ConfigError, LlamaFarmError, ServiceError

from llamafarm_universal.server.app import create_app
from llamafarm_universal.server.guard import is_loopback
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.settings import Settings, read_settings

IDLE_CHECK_SECONDS = 1.0


def run(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM, Ctrl-C or the idle time-out. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings(arguments, os.environ)
        refuse_open_door(settings)
        listener = bind(settings)
    except LlamaFarmError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    signal.signal(signal.SIGTERM, _exit_quietly)  # uvicorn raises the signal again once it has ended properly
    try:
        Server(Runtime(settings)).run([listener])
    except KeyboardInterrupt:
        pass
    return 0


def refuse_open_door(settings: Settings) -> None:
    """Raises ConfigError where others could reach the server and nothing would keep them out."""
    if not is_loopback(settings.host) and settings.api_key is None:
        raise ConfigError(
            f"{settings.host} can be reached by other machines, and no API key is set.",
            hint="Set UNIVERSAL_RUNTIME_API_KEY, or listen on 127.0.0.1.",
        )


def bind(settings: Settings) -> socket.socket:
    """Return a socket bound to the address. Raises ServiceError where the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere this option lets two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise _not_bound(settings, error) from None
    return listener


def _not_bound(settings: Settings, error: OSError) -> ServiceError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return ServiceError(f"Port {settings.port} on {settings.host} is in use; choose another with --port.")
    return ServiceError(f"Cannot listen on {where}: {error.strerror or error}.")


class Server(uvicorn.Server):
    """uvicorn, which says where it listens and stops when it has been idle for long enough."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(runtime),
                log_level="warning",
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=max(1, round(runtime.settings.grace_seconds)),
                server_header=False,
            )
        )
        self._runtime = runtime
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            sys.stdout.write(f"Universal Runtime listens on {_address(listener)}\n")
            sys.stdout.flush()
        if self._runtime.settings.idle_timeout > 0:
            self._watch = asyncio.create_task(self._stop_when_idle(self._runtime.settings.idle_timeout))

    async def _stop_when_idle(self, limit: float) -> None:
        while not self.should_exit:
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, limit))
            if self._runtime.activity.idle_seconds >= limit:
                logging.getLogger(__name__).info("No request for %g s: stopping.", limit)
                self.should_exit = True


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit_quietly(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
