"""Whether the server and what it depends on work."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.recent import Recent
from llamafarm.api.settings import Settings
from llamafarm.errors import LlamaFarmError
from llamafarm.gateway.runtimes import RuntimeStatus, by_entry
from llamafarm.project import Project
from llamafarm.version import VERSION
from llamafarm.web.answers import json_answer
from llamafarm.web.guard import live_route

CHECK_SECONDS = 2.0
"""How long one runtime may take to say that it is there."""

Status = Literal["healthy", "idle", "degraded", "unhealthy"]
FINE = ("healthy", "idle")


@dataclass(frozen=True)
class Component:
    """status: `idle` is a runtime that is not up and is started by its first request, which is as it should be."""

    name: str
    status: Status
    message: str
    latency_ms: float | None = None


def routes(settings: Settings) -> list[Route]:
    """`GET /health` looks at everything; `GET /health/live` says only that the process answers, to anybody."""

    recent: Recent[list[Component]] = Recent()

    async def health(_: Request) -> Response:
        """Everything, each with how it is; 503 where nothing can be used."""
        components = [_plugins(settings), *await _project(settings, recent)]
        status = _overall(components)
        bad = [component.name for component in components if component.status not in FINE]
        body = {
            "status": status,
            "summary": f"Look at: {', '.join(bad)}." if bad else "Everything works.",
            "version": VERSION,
            "components": [asdict(component) for component in components],
            "timestamp": time.time(),
        }
        return json_answer(body, status=503 if status == "unhealthy" else 200)

    return [Route("/health", health, methods=["GET"]), live_route()]


def _plugins(settings: Settings) -> Component:
    """What has gone wrong with plugins so far; those that nothing needed have not been loaded."""
    warnings = [str(warning) for warning in settings.plugins.warnings]
    return Component("plugins", "degraded" if warnings else "healthy", "; ".join(warnings) or "No plugin is broken.")


async def _project(settings: Settings, recent: Recent[list[Component]]) -> list[Component]:
    try:
        project = await settings.projects.default()
    except LlamaFarmError as error:
        return [Component("configuration", "unhealthy", str(error))]
    if project is None:
        return [Component("configuration", "healthy", "No llamafarm.yaml here; projects are named in the path.")]
    configuration = Component("configuration", "healthy", f"{project.namespace}/{project.name}")
    if problem := settings.projects.problem(project):
        message = f"{problem}\nWhat the file said before stays in service."
        configuration = Component("configuration", "degraded", message)
    return [configuration, *await recent.get(lambda: _models(settings, project), project)]


async def _models(settings: Settings, project: Project) -> list[Component]:
    """One for each model entry, in their order; entries of one runtime share its answer."""
    runtimes = by_entry(await settings.gateway.runtimes(project, timeout=CHECK_SECONDS))
    return [_model(entry.name, runtimes[entry.name]) for entry in project.models]


def _model(name: str, runtime: RuntimeStatus) -> Component:
    latency = None if runtime.latency is None else round(runtime.latency * 1000, 1)
    if runtime.reachable:
        return Component(f"model:{name}", "healthy", runtime.detail or "It answers.", latency)
    if runtime.state == "stopped":
        return Component(f"model:{name}", "idle", "Not running; its first request starts it.")
    return Component(f"model:{name}", "unhealthy", runtime.detail)


def _overall(components: list[Component]) -> Status:
    """Unhealthy where no model can be used, degraded where anything is wrong."""
    models = [component for component in components if component.name.startswith("model:")]
    statuses = {component.status for component in components if component not in models}
    if "unhealthy" in statuses or (models and not any(model.status in FINE for model in models)):
        return "unhealthy"
    return "healthy" if all(component.status in FINE for component in components) else "degraded"
