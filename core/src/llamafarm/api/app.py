"""The API as one Starlette application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from llamafarm.api import health, models, operations, projects, sessions
from llamafarm.api.settings import ALLOWED_HOSTS, ALLOWED_ORIGINS, Limits, Settings
from llamafarm.errors import LlamaFarmError
from llamafarm.web.api_key import ApiKeyMiddleware
from llamafarm.web.errors import on_error, on_http_error
from llamafarm.web.origin import OriginMiddleware
from llamafarm.web.request_id import RequestIdMiddleware

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
        found += operations.routes(prefix, settings)
        found += [*models.routes(prefix, settings), *sessions.routes(prefix, settings)]
    return found


def _middleware(limits: Limits) -> list[Middleware]:
    """From the outside in. Preflight requests carry no key, so CORS comes before it; it knows allowed origins only."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=sorted(limits.origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["*"],  # the limits that a runtime tells are among them, by names of its own
    )
    return [
        Middleware(RequestIdMiddleware),
        _origin(limits),
        cors,
        Middleware(ApiKeyMiddleware, key=limits.api_key),
    ]


def _origin(limits: Limits) -> Middleware:
    names = limits.hosts
    use = f", or use {', '.join(sorted(names))}" if names else ""
    return Middleware(
        OriginMiddleware,
        hosts=lambda name: names is None or name in names,
        origins=lambda origin: origin in limits.origins or "*" in limits.origins,
        host_hint=f"Allow the name with {ALLOWED_HOSTS}{use}.",
        origin_hint=f"Allow them with {ALLOWED_ORIGINS}.",
    )
