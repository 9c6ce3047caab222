"""Work ends with its client, and with its server."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ServiceError
from llamafarm.web.endpoint import while_connected
from starlette.requests import ClientDisconnect

pytestmark = pytest.mark.anyio


class Client:
    """What a server receives of a client that may go away."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._said = False

    async def receive(self):
        if not self._said:
            self._said = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Work:
    """Work that waits, and knows what became of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.cancelled = False

    async def run(self) -> str:
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def test_what_the_work_returns_is_returned():
    work = Work()
    work.may_end.set()
    assert await while_connected(Client().receive, work.run()) == "done"


async def test_what_the_work_raises_is_raised():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        await while_connected(Client().receive, fail())


async def test_a_client_that_goes_away_cancels_the_work():
    client, work = Client(), Work()
    running = asyncio.create_task(while_connected(client.receive, work.run()))
    await work.begun.wait()
    client.gone.set()
    with pytest.raises(ClientDisconnect):
        await running
    assert work.cancelled


async def test_a_server_that_stops_cancels_the_work_and_says_so():
    work = Work()
    running = asyncio.create_task(while_connected(Client().receive, work.run()))
    await work.begun.wait()
    running.cancel()
    with pytest.raises(ServiceError, match="The server is stopping") as stopped:
        await running
    assert (stopped.value.status, stopped.value.code) == (503, "server_stopping")
    assert work.cancelled


async def test_work_that_ends_by_itself_when_it_is_cancelled_has_answered():
    begun = asyncio.Event()

    async def farewell():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "farewell"

    running = asyncio.create_task(while_connected(Client().receive, farewell()))
    await begun.wait()
    running.cancel()
    assert await running == "farewell"


async def test_nothing_is_left_running():
    before = asyncio.all_tasks()
    work = Work()
    work.may_end.set()
    await while_connected(Client().receive, work.run())
    assert asyncio.all_tasks() == before
