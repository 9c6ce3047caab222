"""`GET /health/live`: the process answers, and says no more, to anybody."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.web.answers import json_answer

LIVE_PATH = "/health/live"


def live_route() -> Route:
    """For probes, which carry no credentials: the API key does not guard this path."""
    return Route(LIVE_PATH, _live, methods=["GET"])


async def _live(_: Request) -> Response:
    return json_answer({"status": "ok"})
