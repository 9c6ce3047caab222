"""GET /metrics: what the runtime counts, in Prometheus' text format.

Source: Prometheus' documents, "Exposition formats", text format 0.0.4.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from llamafarm.errors import LlamaFarmError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm_universal.messages.work import user_names
from llamafarm_universal.server.endpoint import runtime_of
from llamafarm_universal.server.runtime import Runtime

PREFIX = "llamafarm:"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
Sample = tuple[Mapping[str, str], int]
"""Labels and a number."""


class CountedRequests:
    """A middleware that counts the requests of the API in `counts`, by the path of their route and their status."""

    def __init__(self, app: ASGIApp, *, counts: Counter[tuple[str, int]]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 499  # the client went away before there was one; as nginx tells it

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            status = _status_of(error) if status == 499 else status
            raise
        finally:
            if (operation := _operation(scope)) is not None:
                self._counts[operation, status] += 1


async def metrics(request: Request) -> Response:
    return Response("\n".join(_lines(runtime_of(request))) + "\n", headers={"Content-Type": CONTENT_TYPE})


def _lines(runtime: Runtime) -> Iterator[str]:
    queues = [
        ({"model": runtime.handles.name(ref), "operation": user_names(operation)[0]}, load)
        for (ref, operation), load in runtime.queue
    ]
    models = [
        ({"model": runtime.handles.name(model.ref), "device": model.device}, model.memory_bytes)
        for model in runtime.residency.loaded
    ]
    restarts = {"engine host": runtime.fleet.deaths, "store": runtime.store.supervisor.deaths}
    requests = sorted(runtime.requests.items())
    yield from _metric(
        "requests_total", "counter", "Requests that have ended, by operation and HTTP status.",
        [({"operation": name, "status": str(status)}, count) for (name, status), count in requests],
    )  # fmt: skip
    yield from _metric(
        "running", "gauge", "Answers that a model works on.", [(at, load.running) for at, load in queues]
    )
    yield from _metric("waiting", "gauge", "Answers that wait for a turn.", [(at, load.waiting) for at, load in queues])
    yield from _metric("held_body_bytes", "gauge", "Large bodies of requests in memory.", [({}, runtime.bodies.held)])
    yield from _metric("model_bytes", "gauge", "Memory of the weights of each model that is loaded.", models)
    yield from _metric(
        "restarts_total", "counter", "How often a process of the runtime has died and was started again.",
        [({"process": name}, count) for name, count in restarts.items()],
    )  # fmt: skip


def _metric(name: str, kind: str, description: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {description}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{PREFIX}{name}{{{told}}} {value}" if told else f"{PREFIX}{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _operation(scope: Scope) -> str | None:
    """The path of a request's route below /v1/; a name that the client chooses is not in it. None for other routes."""
    path: str = getattr(scope.get("route"), "path", "")
    return _PARAMETER.sub(r"{\1}", path.removeprefix("/v1/")) if path.startswith("/v1/") else None


def _status_of(error: Exception) -> int:
    if isinstance(error, LlamaFarmError):
        return error.status
    return error.status_code if isinstance(error, HTTPException) else 500
