"""Work that ends with its client: whoever has gone away needs no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from llamafarm.errors import ServiceError

T = TypeVar("T")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, and cancel it once the client has gone. The request's body must have been read.

    Raises ClientDisconnect where the client has gone. Cancelled itself, because the server stops, it cancels the work
    too; raises ServiceError (503) where that had not answered yet.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_gone(receive))
    stopping = False
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        stopping = True
    await _stop(watching)
    await _stop(working)
    if not working.cancelled():
        return working.result()
    raise server_stopping() if stopping else ClientDisconnect


def server_stopping() -> ServiceError:
    """Why an answer ends before it is whole."""
    return ServiceError("The server is stopping.", hint="Ask again once it is up.", code="server_stopping")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
