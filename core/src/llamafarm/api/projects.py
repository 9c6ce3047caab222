"""The projects of a server, with their configuration; secrets are masked."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.registry import BrokenProject
from llamafarm.api.settings import Settings
from llamafarm.project import Project
from llamafarm.web.answers import json_answer


def routes(settings: Settings) -> list[Route]:
    """`GET /v1/projects`, `/v1/projects/{namespace}` and `/v1/projects/{namespace}/{project}`."""

    def row(project: Project | BrokenProject) -> dict[str, Any]:
        error = project.error if isinstance(project, BrokenProject) else settings.projects.problem(project)
        return _row(project) | ({"error": str(error)} if error else {})

    async def list_projects(request: Request) -> Response:
        wanted = request.path_params.get("namespace")
        rows = [row(project) for project in await settings.projects.all() if wanted in (None, project.namespace)]
        return json_answer({"total": len(rows), "projects": rows})

    async def get_project(request: Request) -> Response:
        return json_answer(row(await settings.projects.of(request.path_params)))

    return [
        Route("/v1/projects", list_projects, methods=["GET"]),
        Route("/v1/projects/{namespace}", list_projects, methods=["GET"]),
        Route("/v1/projects/{namespace}/{project}", get_project, methods=["GET"]),
    ]


def _row(project: Project | BrokenProject) -> dict[str, Any]:
    row: dict[str, Any] = {"namespace": project.namespace, "name": project.name}
    if isinstance(project, BrokenProject):
        return {**row, "config": None}
    from llamafarm.config import masked

    return {**row, "config": masked(project)}
