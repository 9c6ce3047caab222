"""A small server, made of the package alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from llamafarm.errors import LlamaFarmError
from llamafarm.web.answers import json_answer
from llamafarm.web.errors import on_error, on_http_error
from llamafarm.web.live import live_route
from llamafarm.web.request_id import RequestIdMiddleware, request_id_of
from llamafarm.web.run import Server
from llamafarm_kit.testing.served import served
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

BOUND = 20.0


async def whoami(request):
    return json_answer({"id": request_id_of(request)})


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """serve(*middleware, routes=…, grace=…) starts a server with `GET /whoami`, and gives a client of it.

    `client.server` is the server, to tell it to stop.
    """
    with ExitStack() as running:

        def start(*middleware: Middleware, routes: tuple[Route, ...] = (), grace: float = 5) -> httpx.Client:
            app = Starlette(
                routes=[Route("/whoami", whoami), live_route(), *routes],
                middleware=[Middleware(RequestIdMiddleware), *middleware],
                exception_handlers={LlamaFarmError: on_error, HTTPException: on_http_error},
            )
            app.router.redirect_slashes = False
            server = Server(app, grace=grace, announce=lambda url: None)
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
