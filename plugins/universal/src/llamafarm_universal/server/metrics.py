"""GET /metrics: what the runtime counts, for Prometheus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from llamafarm.errors import LlamaFarmError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm_universal.messages import Generate, ModelRef
from llamafarm_universal.messages.work import user_names
from llamafarm_universal.server.endpoint import runtime_of
from llamafarm_universal.server.exposition import CONTENT_TYPE, PREFIX, Family, render
from llamafarm_universal.server.runtime import Runtime

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


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
    runtime = runtime_of(request)
    return Response(render([*_server(runtime), *_engines(runtime)]), headers={"Content-Type": CONTENT_TYPE})


def _server(runtime: Runtime) -> Iterator[Family]:
    """What the server itself counts."""
    queues = [
        ((("model_name", runtime.handles.label(ref)), ("operation", user_names(operation)[0])), load)
        for (ref, operation), load in runtime.queue
    ]
    yield Family(
        f"{PREFIX}requests_total",
        "counter",
        "Requests that have ended, by operation and HTTP status.",
        [((("operation", name), ("status", str(status))), n) for (name, status), n in sorted(runtime.requests.items())],
    )
    running, waiting = ([(at, load.running) for at, load in queues], [(at, load.waiting) for at, load in queues])
    yield Family(f"{PREFIX}running", "gauge", "Answers that a model works on.", running)
    yield Family(f"{PREFIX}waiting", "gauge", "Answers that wait for a turn.", waiting)
    yield Family(
        f"{PREFIX}held_body_bytes", "gauge", "Large bodies of requests in memory.", [((), runtime.bodies.held)]
    )
    yield Family(
        f"{PREFIX}model_bytes",
        "gauge",
        "Memory of the weights of each model that is loaded.",
        [
            ((("model_name", runtime.handles.label(model.ref)), ("device", model.device)), model.memory_bytes)
            for model in runtime.residency.loaded
        ],
    )
    yield Family(
        f"{PREFIX}restarts_total",
        "counter",
        "How often a process of the runtime has died and was started again.",
        [
            ((("process", "engine host"),), runtime.fleet.deaths),
            ((("process", "store"),), runtime.store.supervisor.deaths),
        ],
    )


def _engines(runtime: Runtime) -> Iterator[Family]:
    """What the engines count."""
    waiting: Counter[ModelRef] = Counter()
    for (ref, operation), load in runtime.queue:
        if operation == Generate.operation:
            waiting[ref] += load.waiting
    loaded = {model.ref for model in runtime.residency.loaded}
    return runtime.statistics.families(loaded, waiting, runtime.handles.label)


def _operation(scope: Scope) -> str | None:
    """The path of a request's route below /v1/; a name that the client chooses is not in it. None for other routes."""
    path: str = getattr(scope.get("route"), "path", "")
    return _PARAMETER.sub(r"{\1}", path.removeprefix("/v1/")) if path.startswith("/v1/") else None


def _status_of(error: Exception) -> int:
    if isinstance(error, LlamaFarmError):
        return error.status
    return error.status_code if isinstance(error, HTTPException) else 500
