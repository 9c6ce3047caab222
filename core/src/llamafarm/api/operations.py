"""The routes of the operation table: what is asked of a model, and its answer, streamed or whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llamafarm.api.settings import MAX_BODY_BYTES, Settings
from llamafarm.api.validate import check
from llamafarm.gateway import SESSION_HEADER, Context
from llamafarm.providers.base import Progress, Reply
from llamafarm.web.answers import json_answer
from llamafarm.web.endpoint import JsonEndpoint
from llamafarm.web.request_id import request_id_of
from llamafarm.web.stream import EventStream
from llamafarm.wire.operations import OPERATIONS, Operation

log = logging.getLogger(__name__)


def routes(prefix: str, settings: Settings) -> list[Route]:
    """`POST {prefix}/chat/completions`, and so on for every operation."""
    return [
        Route(f"{prefix}{operation.path}", _endpoint(operation, settings), methods=["POST"]) for operation in OPERATIONS
    ]


def _endpoint(operation: Operation, settings: Settings) -> JsonEndpoint:
    async def answer(request: Request, body: dict[str, Any]) -> Response:
        project = settings.projects.of(request.path_params)
        check(body, operation)
        mine = request_id_of(request)
        context = Context(mine, session=request.headers.get(SESSION_HEADER), progress=_logging(mine))
        found: Any = await settings.gateway.ask(project, operation, body, context)
        if operation.chunk is None:
            return json_answer(found, headers=context.headers)
        if body.get("stream"):
            return _streamed(found, settings.limits.keep_alive)
        return await _whole(found)

    hint = f"{MAX_BODY_BYTES} sets the limit of this server."
    return JsonEndpoint(answer, limit=settings.limits.max_body_bytes, limit_hint=hint)


def _streamed(reply: Reply, keep_alive: float) -> Response:
    return EventStream(reply.frames(), close=reply.aclose, keep_alive=keep_alive, headers=reply.headers)


async def _whole(reply: Reply) -> Response:
    try:
        return json_answer(await reply.completion(), headers=reply.headers)
    finally:
        await reply.aclose()


def _logging(request: str) -> Callable[[Progress], None]:
    """Tells the log what a first request waits for: each stage once, since a download reports every piece."""
    stages: set[str] = set()

    def progress(step: Progress) -> None:
        if step.stage not in stages:
            stages.add(step.stage)
            log.info("%s %s", step.text, request)

    return progress
