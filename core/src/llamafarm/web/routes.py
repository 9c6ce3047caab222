"""Starlette's router, which finds a path without parameters at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


class Routes(Router):
    """The routes of a server, behind its guard. middleware: what is between."""

    def __init__(
        self, routes: Sequence[Route], *, lifespan: Lifespan | None = None, middleware: Sequence[Middleware] = ()
    ) -> None:
        # A redirect to the path with a slash would be built from the Host header.
        super().__init__(routes, redirect_slashes=False, lifespan=lifespan, middleware=middleware)
        self._exact = {
            (method, route.path): route.app
            for route in reversed(routes)  # the first one counts
            if "{" not in route.path
            for method in route.methods or ()
        }

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: paths without parameters are looked up, the others matched in their order."""
        endpoint = self._exact.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await super().app(scope, receive, send)
        else:
            scope["path_params"] = {}
            await endpoint(scope, receive, send)
