"""Files that runtimes keep for a while, at this server's own address: pictures whose `url` was asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import Settings
from llamafarm.gateway import Context
from llamafarm.web.guard import request_id_of
from llamafarm.web.passing import PassingAnswer

HEADERS = {"cache-control": "private", "x-content-type-options": "nosniff"}


def routes(prefix: str, settings: Settings) -> list[Route]:
    """`GET {prefix}/models/{model}/files/{name}`. A server that has a key asks for it here too."""

    async def get_file(request: Request) -> Response:
        project = await settings.projects.of(request.path_params)
        entry = project.entry(request.path_params["model"])
        context = Context(request_id_of(request))
        content = await settings.gateway.runtime_models.file(entry, request.path_params["name"], context)
        return PassingAnswer(content.pieces(), content.media_type, close=content.aclose, headers=HEADERS)

    return [Route(f"{prefix}/models/{{model:path}}/files/{{name}}", get_file, methods=["GET"])]


def project_url(request: Request, settings: Settings) -> str:
    """Where clients reach the project of a request: below the server's address as they name it."""
    root = settings.limits.public_url or str(request.base_url).rstrip("/")
    names = request.path_params
    project = f"/projects/{names['namespace']}/{names['project']}" if "namespace" in names else ""
    return f"{root}/v1{project}"
