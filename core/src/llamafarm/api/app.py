"""The API as one Starlette application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from llamafarm.api import health, models, projects, sessions
from llamafarm.api.errors import on_error, on_http_error
from llamafarm.api.middleware.api_key import ApiKeyMiddleware
from llamafarm.api.middleware.origin import OriginMiddleware
from llamafarm.api.middleware.request_id import RequestIdMiddleware
from llamafarm.api.operations import OperationRoute
from llamafarm.api.settings import Limits, Settings
from llamafarm.errors import LlamaFarmError
from llamafarm.gateway import SESSION_HEADER
from llamafarm.providers.parameters import IGNORED_HEADER
from llamafarm.wire.operations import OPERATIONS

PREFIXES = ("/v1", "/v1/projects/{namespace}/{project}")
"""Every route of a model works for the project of the working directory, and for one that the path names."""


def create_app(settings: Settings) -> Starlette:
    """The application; it closes the gateway when it is shut down."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await settings.gateway.aclose()

    app = Starlette(
        routes=_routes(settings),
        middleware=_middleware(settings.limits),
        exception_handlers={LlamaFarmError: on_error, HTTPException: on_http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would be built from the Host header
    return app


def _routes(settings: Settings) -> list[BaseRoute]:
    found: list[BaseRoute] = [*health.routes(settings), *projects.routes(settings)]
    for prefix in PREFIXES:
        found += [
            Route(f"{prefix}{operation.path}", OperationRoute(operation, settings), methods=["POST"])
            for operation in OPERATIONS
        ]
        found += [*models.routes(prefix, settings), *sessions.routes(prefix, settings)]
    return found


def _middleware(limits: Limits) -> list[Middleware]:
    """From the outside in. Preflight requests carry no key, so CORS comes before it; it knows allowed origins only."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=sorted(limits.origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["X-Request-ID", "X-LF-Request-ID", SESSION_HEADER, IGNORED_HEADER, "Retry-After"],
    )
    return [
        Middleware(RequestIdMiddleware),
        Middleware(OriginMiddleware, limits=limits),
        cors,
        Middleware(ApiKeyMiddleware, key=limits.api_key),
    ]
