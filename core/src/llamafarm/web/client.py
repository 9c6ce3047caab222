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
    watch = _Watch(receive)
    try:
        return await work
    except asyncio.CancelledError:
        raise (ClientDisconnect if watch.gone else server_stopping()) from None
    finally:
        watch.end()


def server_stopping() -> ServiceError:
    """Why an answer ends before it is whole."""
    return ServiceError("The server is stopping.", hint="Ask again once it is up.", code="server_stopping")


class _Watch:
    """Cancels the task that made it once the client has gone, which `gone` tells then."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._working = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCHED_AFTER_SECONDS, self._begin)
        self.gone = False

    def end(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        assert self._working is not None
        self._working.cancel()
