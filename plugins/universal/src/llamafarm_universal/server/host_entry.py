"""What runs first in the engine host's process. It stays light: the server names it, the child imports it."""

from __future__ import annotations

import importlib
import signal
from multiprocessing.connection import Connection

from llamafarm_universal.host.messages import Failed
from llamafarm_universal.host.options import HostOptions

ENGINE_HOST = "llamafarm_universal.host.main:run"


def run_host(target: str, connection: Connection, options: HostOptions) -> None:
    """Run `module:function` with the connection to the server, until it returns.

    Ctrl-C in a terminal reaches the whole process group; the server alone decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, function = target.partition(":")
    try:
        getattr(importlib.import_module(module), function)(connection, options)
    except ImportError as error:
        connection.send(Failed("", "not_supported", f"The engine host cannot start: {error}.", hint=_hint(error)))


def _hint(error: ImportError) -> str | None:
    missing = isinstance(error, ModuleNotFoundError)
    return "Install the runtime's libraries: pip install 'llamafarm-universal[server]'" if missing else None
