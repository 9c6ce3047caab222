"""The server's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llamafarm.errors import LlamaFarmError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from llamafarm_universal.server.chat import chat
from llamafarm_universal.server.completions import complete
from llamafarm_universal.server.embeddings import embed
from llamafarm_universal.server.endpoint import takes_json
from llamafarm_universal.server.guard import Guard
from llamafarm_universal.server.health import health, live
from llamafarm_universal.server.models import get_model, list_models, load, unload
from llamafarm_universal.server.responses import on_crash, on_error, on_http_error, refuse
from llamafarm_universal.server.runtime import Runtime

ROUTES = [
    Route("/health", health, methods=["GET"]),
    Route("/health/live", live, methods=["GET"]),
    Route("/v1/chat/completions", takes_json(chat), methods=["POST"]),
    Route("/v1/completions", takes_json(complete), methods=["POST"]),
    Route("/v1/embeddings", takes_json(embed), methods=["POST"]),
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/v1/models/load", takes_json(load), methods=["POST"]),
    Route("/v1/models/unload", takes_json(unload), methods=["POST"]),
    Route("/v1/models/{name:path}", get_model, methods=["GET"]),
]


def create_app(runtime: Runtime) -> Guard:
    """Return the application behind its guard; its lifespan starts and ends the engine host."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with runtime.running():
            yield

    app = Starlette(
        routes=ROUTES,
        exception_handlers={LlamaFarmError: on_error, HTTPException: on_http_error, Exception: on_crash},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.runtime = runtime
    return Guard(app, settings=runtime.settings, activity=runtime.activity, refuse=refuse)
