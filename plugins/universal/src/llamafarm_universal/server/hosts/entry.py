"""What runs first in the engine host's process. It stays light: the server names it, the child imports it."""

from __future__ import annotations

import importlib
from multiprocessing.connection import Connection

from llamafarm_universal.host.options import HostOptions

ENGINE_HOST = "llamafarm_universal.host.main:run"


def run_host(target: str, connection: Connection, options: HostOptions) -> None:
    """Run `module:function` with the connection to the server, until it returns."""
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(connection, options)
