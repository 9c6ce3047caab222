"""A store without files: a real process that speaks the real messages and does what the model's id says.

    refuse/KIND     Failed of that kind, of a pull; missing/KIND of a load
                                                hang/pull       progress and no end
    die/always      the process kills itself    die/once        the same, unless it has done so before
    hang/load       progress and no end         else            a plan
    echo/missing    is not there to be removed  echo/used       is being fetched

Folders of packages are described as the real store describes them; `log/cancelled` has a byte for each Cancel so far.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from llamafarm_universal import messages as m
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.store.hub import on_disk_of_all
from llamafarm_universal.store.inspect import inspect_all

MARK = "SCRIPTED_STORE_MARK"


def run(connection: Connection, limits: Limits) -> None:
    connection.send((m.Ready(""),))
    Store(connection).serve()


def run_and_exit(connection: Connection, limits: Limits) -> None:
    sys.exit(3)


class Store:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.log: list[str] = []

    def serve(self) -> None:
        while True:
            try:
                command = self.connection.recv()
            except (EOFError, OSError):
                return
            if isinstance(command, m.Stop):
                return
            name = type(command).__name__
            self.log.append(name)
            getattr(self, name.lower())(command)

    def send(self, event: m.Event) -> None:
        self.connection.send((event,))

    def locate(self, command: m.Locate) -> None:
        ref = command.ref
        owner, _, name = ref.id.partition("/")
        if owner == "missing":
            self.send(m.Failed(command.request_id, name, f"Refused as {name}.", hint="Do this next."))
            return
        self.send(m.LoadProgress(command.request_id, "downloading", "Downloading", 1, 2))
        if ref.id != "hang/load":
            plan = LoadPlan(ref, Path(), {}, "text", "cpu", "fp32", 10, weight_bytes=40)
            self.send(m.Located(command.request_id, plan))

    def pull(self, command: m.Pull) -> None:
        owner, _, name = command.ref.id.partition("/")
        if owner == "refuse":
            self.send(m.Failed(command.request_id, name, f"Refused as {name}.", hint="Do this next."))
            return
        self.send(m.LoadProgress(command.request_id, "downloading", "Downloading", 1, 2, "weights", 1, 1))
        if owner == "die":
            die(once=name == "once")
        if owner != "hang":
            self.send(m.Pulled(command.request_id, True, 2))

    def describe(self, command: m.Describe) -> None:
        stored: dict[str, Any] = on_disk_of_all(model for model in command.models if model.startswith("package:"))
        if "log/cancelled" in command.models:
            stored["log/cancelled"] = m.Stored(True, self.log.count("Cancel"))
        self.send(m.Described(command.request_id, stored))

    def inspect(self, command: m.Inspect) -> None:
        facts = inspect_all(ref for ref in command.refs if ref.id.startswith("package:"))
        self.send(m.Inspected(command.request_id, facts))

    def remove(self, command: m.Remove) -> None:
        if command.model == "echo/missing":
            self.send(m.Failed(command.request_id, "model_not_found", "It is not downloaded."))
        elif command.model == "echo/used":
            self.send(m.Failed(command.request_id, "in_use", "It is being downloaded."))
        elif command.model.startswith("die/"):
            die(once=False)
        else:
            self.send(m.Removed(command.request_id, 2))

    def cancel(self, command: m.Cancel) -> None:
        pass


def die(*, once: bool) -> None:
    """once: the file that the variable MARK names remembers that it has happened."""
    mark = Path(os.environ[MARK]) if once else None
    if mark is not None and mark.exists():
        return
    if mark is not None:
        mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
