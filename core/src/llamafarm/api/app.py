"""The API as one application: its routes behind a guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from llamafarm.api import files, health, models, operations, projects, sessions
from llamafarm.api.plugin_routes import PluginRoute, is_public
from llamafarm.api.settings import ALLOWED_HOSTS, ALLOWED_ORIGINS, Limits, Settings
from llamafarm.records import RouteSpec
from llamafarm.version import VERSION
from llamafarm.web.answers import json_answer
from llamafarm.web.guard import Guard
from llamafarm.web.origin import Names
from llamafarm.wire.body import dump

PREFIXES = ("/v1", "/v1/projects/{namespace}/{project}")
"""Every route of a model works for the project of the working directory, and for one that the path names."""
INDEX: dict[str, Any] = {
    "name": "LlamaFarm",
    "version": VERSION,
    "about": "An OpenAI-compatible API. Give clients the base URL of this server with /v1.",
    "routes": {
        "/v1/…": "OpenAI's routes, for the project that this server was started for",
        "/v1/models": "the models of that project; ?status=true asks their runtimes",
        "/v1/chat/sessions": "conversations that are kept",
        "/v1/projects": "every project; /v1/projects/NAMESPACE/NAME/… has all routes of one",
        "/health": "whether the server and its runtimes work; /health/live: whether the process answers",
    },
    "documents": "docs/ of the repository; README.md begins with the first steps",
}
"""What stands at the server's own address, for whoever opens it in a browser."""


def create_app(settings: Settings) -> Guard:
    """The application; it closes the gateway when it is shut down."""

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await settings.gateway.aclose()

    limits = settings.limits
    every = routes(settings)
    added = [route for route in every if isinstance(route, PluginRoute)]
    # A redirect to the path with a slash would be built from the Host header.
    inside = Router(every, redirect_slashes=False, lifespan=lifespan)
    public = partial(is_public, routes=added) if added else None
    return Guard(inside, key=limits.api_key, names=_names(limits), pages=limits.origins, public=public)


def routes(settings: Settings) -> list[Route]:
    """Every route of the API, the most asked first: the router tries them in this order. All plugins are loaded."""
    made: list[Route] = []
    for prefix in PREFIXES:
        made += operations.routes(prefix, settings)
        made += [*files.routes(prefix, settings), *models.routes(prefix, settings), *sessions.routes(prefix, settings)]
    specs = settings.plugins.routes()
    made += [PluginRoute(prefix, spec, settings) for prefix in PREFIXES for spec in specs]
    return [*made, _index(specs), *health.routes(settings), *projects.routes(settings)]


def _index(specs: Sequence[RouteSpec]) -> Route:
    """What stands at the server's own address, the routes of plugins among it."""
    added = {f"/v1{spec.path}": f"{', '.join(spec.methods)}: {spec.summary}" for spec in specs}
    content = dump({**INDEX, "routes": {**INDEX["routes"], **added}})

    async def index(_: Request) -> Response:
        return json_answer(content)

    return Route("/", index, methods=["GET"])


def _names(limits: Limits) -> Names:
    names = limits.hosts
    use = f", or use {', '.join(sorted(names))}" if names else ""
    return Names(
        hosts=lambda name: names is None or name in names,
        origins=lambda origin: origin in limits.origins or "*" in limits.origins,
        host_hint=f"Allow the name with {ALLOWED_HOSTS}{use}.",
        origin_hint=f"Allow them with {ALLOWED_ORIGINS}.",
    )
