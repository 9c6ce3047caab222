"""What the resources' handlers have in common: reading the body, watching the client, naming ignored fields."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from llamafarm_universal.server.body import read_json
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.operator import TOKEN_HEADER
from llamafarm_universal.server.responses import ClientGone, error_response, stopping, until_gone
from llamafarm_universal.server.runtime import Runtime

Handler = Callable[[Request, dict[str, Any]], Awaitable[Response]]


def takes_json(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint of a handler: it is given the body, and is cancelled when the client goes away."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await read_json(request, limit=runtime_of(request).settings.max_body_bytes)
            return await until_gone(request.receive, _run(handler, request, body))
        except (ClientGone, ClientDisconnect):
            return Response(status_code=499)  # nobody reads it
        except asyncio.CancelledError:  # the server stops, and its grace is over: nobody else cancels this
            return error_response(stopping())

    return endpoint


async def _run(handler: Handler, request: Request, body: dict[str, Any]) -> Response:
    return await handler(request, body)


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def request_id_of(request: Request) -> str:
    """Our own id of this request: what the engine host knows it by."""
    found: str = request.state.request_id
    return found


def is_trusted(request: Request) -> bool:
    """Whether the request shows the token that LlamaFarm has put down for this server."""
    return runtime_of(request).settings.operator.trusts(request.headers.get(TOKEN_HEADER))


def ignored_header(parsed: Parsed) -> dict[str, str]:
    return {"X-LF-Ignored": ", ".join(parsed.ignored)} if parsed.ignored else {}
