"""The store's process: `run` is what the server spawns. Nothing heavy is imported before it is called."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from multiprocessing.connection import Connection

from llamafarm_universal.messages import Failed
from llamafarm_universal.messages.plan import Limits

log = logging.getLogger(__name__)


def run(connection: Connection, limits: Limits) -> None:
    """Serve commands from the connection until it closes or says Stop. Ends the process, and so never returns.

    Sends Ready once the libraries are there, or Failed without a request id where the store cannot run.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the server decides what it means
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # progress goes to the server as events
    try:
        import huggingface_hub  # noqa: F401 - whether it is there

        from llamafarm_universal.store.loop import Store

        asyncio.run(Store(connection, limits).serve())
    except ImportError as error:
        from llamafarm import pip_command

        hint = f"Its libraries are missing: {pip_command('llamafarm-universal[server]')}"
        connection.send((Failed("", "not_supported", f"The store cannot start: {error}.", hint=hint),))
    except Exception:
        log.exception("The store ends")
    finally:
        # Not sys.exit: that waits for the threads of downloads that nobody needs any more.
        os._exit(1)
