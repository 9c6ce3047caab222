"""The API as one application: its routes behind a guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import Route, Router

from llamafarm.api import health, index, models, operations, projects, sessions
from llamafarm.api.settings import ALLOWED_HOSTS, ALLOWED_ORIGINS, Limits, Settings
from llamafarm.web.guard import Guard
from llamafarm.web.origin import Names

PREFIXES = ("/v1", "/v1/projects/{namespace}/{project}")
"""Every route of a model works for the project of the working directory, and for one that the path names."""


def create_app(settings: Settings) -> Guard:
    """The application; it closes the gateway when it is shut down."""

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await settings.gateway.aclose()

    limits = settings.limits
    # A redirect to the path with a slash would be built from the Host header.
    inside = Router(routes(settings), redirect_slashes=False, lifespan=lifespan)
    return Guard(inside, key=limits.api_key, names=_names(limits), pages=limits.origins)


def routes(settings: Settings) -> list[Route]:
    """Every route of the API, the most asked first: the router tries them in this order."""
    made: list[Route] = []
    for prefix in PREFIXES:
        made += operations.routes(prefix, settings)
        made += [*models.routes(prefix, settings), *sessions.routes(prefix, settings)]
    return [*made, *index.routes(), *health.routes(settings), *projects.routes(settings)]


def _names(limits: Limits) -> Names:
    names = limits.hosts
    use = f", or use {', '.join(sorted(names))}" if names else ""
    return Names(
        hosts=lambda name: names is None or name in names,
        origins=lambda origin: origin in limits.origins or "*" in limits.origins,
        host_hint=f"Allow the name with {ALLOWED_HOSTS}{use}.",
        origin_hint=f"Allow them with {ALLOWED_ORIGINS}.",
    )
