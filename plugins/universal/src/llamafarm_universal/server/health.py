"""GET /health: answered at once, whatever the engine host is doing."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from llamafarm.web import json_answer
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.server.endpoint import runtime_of
from llamafarm_universal.server.errors import installation_removed

VERSION = version("llamafarm-universal")


async def health(request: Request) -> Response:
    """Raises ServiceError where the runtime was removed, so that nobody takes it for one that works."""
    runtime = runtime_of(request)
    if runtime.installation.missing is not None:
        raise installation_removed()
    host = runtime.fleet.main
    answer: dict[str, Any] = {
        "status": "ok",
        "version": VERSION,
        "pid": os.getpid(),
        "device": {"type": host.ready.device, **host.ready.details} if host.ready else None,
        "host": host.state,
        "store": runtime.store.supervisor.state,
        "models": [runtime.handles.name(model.ref) for model in runtime.residency.loaded],
    }
    if host.state == "failed":
        answer["cause"] = host.cause
    return json_answer(answer)
