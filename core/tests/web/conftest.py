"""A small server, made of the package alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from llamafarm.web.answers import json_answer
from llamafarm.web.guard import Guard, live_route, request_id_of
from llamafarm.web.server import Server
from llamafarm.web.stalled import Stalled
from llamafarm_kit.testing.served import served
from starlette.routing import Route, Router

BOUND = 20.0


async def whoami(request):
    return json_answer({"id": request_id_of(request)})


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """serve(routes=…, grace=…, key=…, names=…) starts a server with `GET /whoami`, and gives a client of it.

    `client.server` is the server, to tell it to stop.
    """
    with ExitStack() as running:

        def start(
            *, routes: tuple[Route, ...] = (), grace: float = 5, stalled: Stalled | None = None, **guard: Any
        ) -> httpx.Client:
            inside = Router([Route("/whoami", whoami), live_route(), *routes], redirect_slashes=False)
            server = Server(Guard(inside, **guard), grace=grace, announce=lambda url: None, stalled=stalled)
            url = running.enter_context(served(server))
            client = running.enter_context(httpx.Client(base_url=url, timeout=BOUND))
            client.server = server
            return client

        yield start


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """until(condition) waits, within a bound, until that is so."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.005)

    return wait
