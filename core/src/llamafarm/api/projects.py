"""The projects of a server, with their configuration; secrets are masked."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import Settings
from llamafarm.config import masked
from llamafarm.errors import LlamaFarmError
from llamafarm.project import Project
from llamafarm.web.answers import json_answer


def routes(settings: Settings) -> list[Route]:
    """`GET /v1/projects`, `/v1/projects/{namespace}` and `/v1/projects/{namespace}/{project}`."""

    def row(namespace: str, name: str, project: Project | LlamaFarmError) -> dict[str, Any]:
        if isinstance(project, LlamaFarmError):
            return {"namespace": namespace, "name": name, "config": None, "error": str(project)}
        problem = settings.projects.problem(project)
        row = {"namespace": namespace, "name": name, "config": masked(project)}
        return row | ({"error": str(problem)} if problem else {})

    async def list_projects(request: Request) -> Response:
        wanted = request.path_params.get("namespace")
        rows = [row(*project) for project in await settings.projects.all() if wanted in (None, project[0])]
        return json_answer({"total": len(rows), "projects": rows})

    async def get_project(request: Request) -> Response:
        project = await settings.projects.of(request.path_params)
        return json_answer(row(project.namespace, project.name, project))

    return [
        Route("/v1/projects", list_projects, methods=["GET"]),
        Route("/v1/projects/{namespace}", list_projects, methods=["GET"]),
        Route("/v1/projects/{namespace}/{project}", get_project, methods=["GET"]),
    ]
