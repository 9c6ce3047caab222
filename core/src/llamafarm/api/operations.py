"""The routes of the operation table: what is asked of a model, and its answer, streamed or whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from llamafarm.api.answers import json_answer
from llamafarm.api.body import read_object
from llamafarm.api.connection import while_connected
from llamafarm.api.middleware.request_id import request_id
from llamafarm.api.settings import Settings
from llamafarm.api.stream import send_stream
from llamafarm.api.validate import check
from llamafarm.gateway import SESSION_HEADER, Context
from llamafarm.project import Project
from llamafarm.providers.base import Progress, Reply
from llamafarm.wire.operations import Operation

log = logging.getLogger(__name__)


class OperationRoute:
    """One operation as an ASGI application: it watches the connection while it works."""

    def __init__(self, operation: Operation, settings: Settings) -> None:
        self._operation = operation
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await read_object(request, self._settings.limits.max_body_bytes)
        except ClientDisconnect:
            return
        project = self._settings.projects.of(request.path_params)
        check(body, self._operation)
        mine = request_id(scope)
        context = Context(mine, session=request.headers.get(SESSION_HEADER), progress=_logging(mine))
        await while_connected(receive, self._answer(project, body, context, scope, receive, send))

    async def _answer(
        self, project: Project, body: dict[str, Any], context: Context, scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer: Any = await self._settings.gateway.ask(project, self._operation, body, context)
        if self._operation.chunk is None:
            await json_answer(answer, headers=context.headers)(scope, receive, send)
            return
        reply: Reply = answer
        try:
            if body.get("stream"):
                await send_stream(reply, send, keep_alive=self._settings.limits.keep_alive)
            else:
                await json_answer(await reply.completion(), headers=reply.headers)(scope, receive, send)
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
