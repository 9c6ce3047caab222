"""The engine host that plays a script, refusing as the real one does: its refusals are raised by the real code."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection

from llamafarm_universal import messages as m
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.options import HostOptions
from scripted_host import Host


def run(connection: Connection, options: HostOptions) -> None:
    connection.send((m.Ready("cpu", {"name": "speaking"}),))
    SpeakingHost(connection).serve()


class SpeakingHost(Host):
    """refuse/context_length, and a folder of a package that is not there; all else as the scripted one."""

    def refused(self, request_id: str, ref: m.ModelRef) -> bool:
        refuse = REFUSALS.get(ref.id, _find if ref.id.startswith("package:") else None)
        if refuse is None:
            return super().refused(request_id, ref)
        try:
            refuse(ref)
        except RequestFailed as failed:
            self.send(failed.event(request_id))
        return True


def _find(ref: m.ModelRef) -> None:
    from llamafarm_universal.store.hub import locate

    locate(ref, lambda *_: None)


def _admit(_: m.ModelRef) -> None:
    from llamafarm_universal.host.engines.text.limits import ModelLimits

    ModelLimits(2048, 100, frozenset(), {}).admit(9000, None, "messages")


REFUSALS: dict[str, Callable[[m.ModelRef], None]] = {"refuse/context_length": _admit}
