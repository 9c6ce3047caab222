"""An engine host whose device fails as a GPU does: from then on, whatever is asked of it."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

from llamafarm_universal.host.options import HostOptions


def run_with_broken_device(connection: Connection, options: HostOptions) -> None:
    from llamafarm_universal.host.engines.encode.engine import EncodeEngine
    from llamafarm_universal.host.engines.text import stepper
    from llamafarm_universal.host.main import run

    def fail(*_: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered")

    stepper.sample = fail
    EncodeEngine._read = fail  # type: ignore[method-assign]
    run(connection, options)
