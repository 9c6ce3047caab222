"""What runs first in a child process. It stays light: the server names it, the child imports it."""

from __future__ import annotations

import importlib
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from llamafarm_universal.messages.plan import Limits

ENGINE_HOST = "llamafarm_universal.host.main:run"


def run_host(target: str, connection: Connection, options: Limits) -> None:
    """Run `module:function` with the connection to the server, until it returns."""
    module, _, function = target.partition(":")
    _name_process(f"lf-{module.removesuffix('.main').rpartition('.')[2]}")
    getattr(importlib.import_module(module), function)(connection, options)


def _name_process(name: str) -> None:
    """Have `ps` and `top` show what this process is, where there is a way; Linux takes 15 characters."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")
