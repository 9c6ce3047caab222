"""What runs first in a child process. It stays light: the server names it, the child imports it."""

from __future__ import annotations

import importlib
from multiprocessing.connection import Connection

from llamafarm_universal.messages.plan import Limits

ENGINE_HOST = "llamafarm_universal.host.main:run"


def run_host(target: str, connection: Connection, options: Limits) -> None:
    """Run `module:function` with the connection to the server, until it returns."""
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(connection, options)
