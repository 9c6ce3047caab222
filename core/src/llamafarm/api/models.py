"""The models of a project, in OpenAI's shape with ours beside it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import Settings
from llamafarm.errors import UsageError
from llamafarm.web.answers import json_answer


def routes(prefix: str, settings: Settings) -> list[Route]:
    """`GET {prefix}/models` and `GET {prefix}/models/{name}`."""

    async def list_models(request: Request) -> Response:
        project = settings.projects.of(request.path_params)
        return json_answer({"object": "list", "data": settings.gateway.models(project)})

    async def get_model(request: Request) -> Response:
        project = settings.projects.of(request.path_params)
        name = request.path_params["model"]
        rows = settings.gateway.models(project)
        for row in rows:
            if row["id"] == name:
                return json_answer(row)
        hint = f"Models: {', '.join(row['id'] for row in rows)}."
        raise UsageError(f"There is no model {name!r}.", hint=hint, code="model_not_found", param="model")

    return [
        Route(f"{prefix}/models", list_models, methods=["GET"]),
        Route(f"{prefix}/models/{{model:path}}", get_model, methods=["GET"]),
    ]
