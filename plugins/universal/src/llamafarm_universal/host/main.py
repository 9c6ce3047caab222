"""The engine host's process: `run` is what the server spawns. Nothing heavy is imported before it is called."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection

from llamafarm_universal.heap import share_heap
from llamafarm_universal.host.options import HostOptions
from llamafarm_universal.messages import Failed

__all__ = ["HostOptions", "run"]

log = logging.getLogger(__name__)

NICENESS = 6
"""Of a host that yields. Beside one whose niceness is 0 it gets a fifth of a processor that both want."""


def run(connection: Connection, options: HostOptions) -> None:
    """Serve commands from the connection until it closes or says Stop. Ends the process, and so never returns.

    Sends Ready once the libraries are there, or Failed without a request id where the host cannot run.
    """
    share_heap()
    _tell_libraries()
    faulthandler.enable()  # a crash below Python leaves its traceback in the server's log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the server decides what it means
    if options.yields:
        _yield_processors()
    code = 1
    try:
        from llamafarm_universal.host.loop import Host

        Host(connection, options).serve()
        code = 0
    except ImportError as error:
        from llamafarm import pip_command

        hint = f"Its libraries are missing: {pip_command('llamafarm-universal[server]')}"
        connection.send((Failed("", "not_supported", f"The engine host cannot start: {error}.", hint=hint),))
    except Exception:
        log.exception("The engine host ends")
    finally:
        # Not sys.exit: that waits for the threads of downloads and loads that nobody needs any more.
        os._exit(code)


def _yield_processors() -> None:
    with suppress(AttributeError, OSError):  # Windows has no niceness, and some sandboxes allow none
        os.nice(NICENESS)


def _tell_libraries() -> None:
    """What libraries read in the environment when they are imported, where the user has set nothing else."""
    # Threads of torch that wait for each other look a tenth of a millisecond before they sleep: longer than most gaps
    # between two operations, which is worth a quarter of a step, and short enough to leave busy processors to others.
    # Where they spin as long as libgomp does by itself, a request on two busy ones took ten times as long.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Progress goes to the server as events; bars and advice on the terminal would go between its log lines.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
