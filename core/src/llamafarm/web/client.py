"""Work that ends with its client: whoever has gone away needs no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from llamafarm.errors import ServiceError

T = TypeVar("T")

WATCHED_AFTER_SECONDS = 0.01
"""Work that is done sooner is not watched: watching costs a task, and such an answer is lost on nobody for long."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, and cancel it once the client has gone. The request's body must have been read.

    Raises ClientDisconnect where the client has gone. Cancelled itself, because the server stops, it cancels the work
    too; raises ServiceError (503) where that had not answered yet.
    """
    loop, working = asyncio.get_running_loop(), asyncio.current_task()
    watching: list[asyncio.Task[None]] = []
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        assert working is not None
        working.cancel()

    timer = loop.call_later(WATCHED_AFTER_SECONDS, lambda: watching.append(loop.create_task(watch())))
    try:
        return await work
    except asyncio.CancelledError:
        raise (ClientDisconnect if gone else server_stopping()) from None
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()


def server_stopping() -> ServiceError:
    """Why an answer ends before it is whole."""
    return ServiceError("The server is stopping.", hint="Ask again once it is up.", code="server_stopping")
