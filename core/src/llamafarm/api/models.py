"""The models of a project, in OpenAI's shape with ours beside it; and fetching and deleting them at their runtimes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from llamafarm.api.pulling import pull_events, with_first
from llamafarm.api.recent import Recent
from llamafarm.api.settings import Settings
from llamafarm.errors import RequestError
from llamafarm.gateway import Context
from llamafarm.project import NO_PROJECT, Project
from llamafarm.providers.base import Progress, ignore_progress
from llamafarm.web.answers import json_answer
from llamafarm.web.body import read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.guard import request_id_of
from llamafarm.web.stream import EventStream

STATUS_SECONDS = 5.0
"""How long a runtime may take to say how one model is."""
PULL_BYTES = 64 * 1024
PULL_FIELDS: Mapping[str, tuple[type, str]] = {
    "model": (str, "a text"),
    "provider": (str, "a text"),
    "stream": (bool, "true or false"),
}


def routes(prefix: str, settings: Settings) -> list[Route]:
    """`GET {prefix}/models`; `GET` and `DELETE {prefix}/models/{name}`; `POST {prefix}/models/pull`."""

    recent: Recent[Any] = Recent()

    async def list_models(request: Request) -> Response:
        project, status = await settings.projects.of(request.path_params), _wants_status(request)
        rows, models = settings.gateway.models(project), settings.gateway.runtime_models
        if status:
            states = await recent.get(lambda: models.states(project, timeout=STATUS_SECONDS), project)
            rows = [{**row, "status": state.fields} for row, state in zip(rows, states, strict=True)]
        return json_answer({"object": "list", "data": rows})

    async def get_model(request: Request) -> Response:
        """An entry; with `?provider=` any model of that provider, with `?status=true` how it is at its runtime."""
        name, provider = request.path_params["model"], request.query_params.get("provider")
        status, project = _wants_status(request), await _project(request, provider, settings)
        models = settings.gateway.runtime_models
        entry = models.named(project, name, provider) if provider else project.named(name)
        row = settings.gateway.model(entry, project)
        if status:
            state = await recent.get(lambda: models.state(entry, timeout=STATUS_SECONDS), project, name, provider)
            row = {**row, "status": state.fields}
        return json_answer(row)

    async def delete_model(request: Request) -> Response:
        name, provider = request.path_params["model"], request.query_params.get("provider")
        models = settings.gateway.runtime_models
        entry = models.named(await _project(request, provider, settings), name, provider)
        await models.remove(entry, Context(request_id_of(request)))
        recent.forget()
        return json_answer({"id": name, "object": "model", "deleted": True})

    return [
        Route(f"{prefix}/models", list_models, methods=["GET"]),
        Route(f"{prefix}/models/pull", _pull(settings, recent), methods=["POST"]),
        Route(f"{prefix}/models/{{model:path}}", get_model, methods=["GET"]),
        Route(f"{prefix}/models/{{model:path}}", delete_model, methods=["DELETE"]),
    ]


def _pull(settings: Settings, recent: Recent[Any]) -> ASGIApp:
    """Fetches a model, and ends with its client: what has come stays, and the next pull goes on from there."""

    async def pull(request: Request, body: dict[str, Any]) -> Response:
        """Have a runtime fetch a model's files: an event stream, or one answer with `"stream": false`."""
        _check(body)
        name, provider = body["model"], body.get("provider")
        models, mine = settings.gateway.runtime_models, request_id_of(request)
        entry = models.named(await _project(request, provider, settings), name, provider)
        done = {"id": name, "object": "model", "pulled": True}

        async def work(progress: Callable[[Progress], None] = ignore_progress) -> None:
            await models.pull(entry, Context(mine, progress=progress))
            recent.forget()

        if body.get("stream") is False:
            await work()
            return json_answer(done)
        events = pull_events(work, done)
        frames = with_first(await anext(events), events)
        return EventStream(frames, close=events.aclose, keep_alive=settings.limits.keep_alive)

    return BodyEndpoint(pull, partial(read_object, limit=PULL_BYTES))


def _check(body: Mapping[str, Any]) -> None:
    """Raise RequestError for the first thing that is wrong in the request for a pull; null stands for absent."""
    if body.get("model") in (None, ""):
        raise RequestError("The field 'model' is missing.", code="missing_required_parameter", param="model")
    for name, value in body.items():
        if name not in PULL_FIELDS:
            hint = f"A pull takes {', '.join(PULL_FIELDS)}."
            raise RequestError(f"There is no field {name!r} here.", hint=hint, code="unknown_parameter", param=name)
        kind, expected = PULL_FIELDS[name]
        if value is not None and not isinstance(value, kind):
            raise RequestError(f"The field {name!r} must be {expected}.", code="invalid_value", param=name)


async def _project(request: Request, provider: str | None, settings: Settings) -> Project:
    """The project of the request; none is needed where a provider is named, whose own address serves then."""
    if provider and "namespace" not in request.path_params and await settings.projects.default() is None:
        return NO_PROJECT
    return await settings.projects.of(request.path_params)


def _wants_status(request: Request) -> bool:
    said = request.query_params.get("status", "false").lower()
    if said not in ("true", "false"):
        raise RequestError("The parameter 'status' must be true or false.", code="invalid_value", param="status")
    return said == "true"
