"""What stands at the server's own address, for whoever opens it in a browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.version import VERSION
from llamafarm.web.answers import json_answer

INDEX = {
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


def routes() -> list[Route]:
    """`GET /`."""

    async def index(_: Request) -> Response:
        return json_answer(INDEX)

    return [Route("/", index, methods=["GET"])]
