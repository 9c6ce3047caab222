"""The routes of the operation table: what is asked of a model, and its answer, streamed or whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from llamafarm.api.files import project_url
from llamafarm.api.form import fields_of, media_of
from llamafarm.api.settings import MAX_BODY_BYTES, Settings
from llamafarm.gateway import SESSION_HEADER, Context
from llamafarm.providers.base import Progress
from llamafarm.providers.content import Content
from llamafarm.providers.reply import Reply
from llamafarm.web.answers import json_answer
from llamafarm.web.body import read_object
from llamafarm.web.endpoint import BodyEndpoint
from llamafarm.web.form import read_form
from llamafarm.web.guard import request_id_of
from llamafarm.web.passing import PassingAnswer
from llamafarm.web.stream import EventStream
from llamafarm.wire.operations import OPERATIONS, Operation
from llamafarm.wire.upload import Upload
from llamafarm.wire.validate import check

TRACE_HEADER = "X-LF-Trace"
"""1: a chat's answer ends with what each stage of its turn noted, in the field `llamafarm`."""
log = logging.getLogger(__name__)


def routes(prefix: str, settings: Settings) -> list[Route]:
    """`POST {prefix}/chat/completions`, and so on for every operation."""
    return [
        Route(f"{prefix}{operation.path}", _endpoint(operation, settings), methods=["POST"]) for operation in OPERATIONS
    ]


def _endpoint(operation: Operation, settings: Settings) -> ASGIApp:
    async def answer(request: Request, body: dict[str, Any]) -> Response:
        """Check the request, ask the model, and answer as the operation returns."""
        project = await settings.projects.of(request.path_params)
        check(body, operation)
        mine = request_id_of(request)
        session, trace = request.headers.get(SESSION_HEADER), request.headers.get(TRACE_HEADER) == "1"
        at = project_url(request, settings) if operation.returns == "content" else None
        context = Context(mine, session=session, progress=_logging(mine), trace=trace, project_url=at)
        told: Any = await settings.gateway.ask(project, operation, body, context)
        if operation.returns == "value":
            return json_answer(told, headers=context.headers)
        if operation.returns == "content":
            return _passed(told, settings.limits.keep_alive)
        return await _replied(told, settings.limits.keep_alive, streamed=bool(body.get("stream")))

    async def answer_form(request: Request, parts: list[tuple[str, str | Upload]]) -> Response:
        """The same for a request that is a form."""
        return await answer(request, fields_of(parts, operation))

    async def read_media(request: Request) -> dict[str, Any]:
        """The JSON of a request, or what the form says that it is."""
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return media_of(await read_form(request, limit=limit, limit_hint=hint), operation)
        body: dict[str, Any] = await read_object(request, limit=limit, limit_hint=hint)
        return body

    limit, hint = settings.limits.max_body_bytes, f"{MAX_BODY_BYTES} sets the limit of this server."
    if operation.is_form:
        return BodyEndpoint(answer_form, partial(read_form, limit=limit, limit_hint=hint))
    if operation.takes_media:
        return BodyEndpoint(answer, read_media)
    return BodyEndpoint(answer, partial(read_object, limit=limit, limit_hint=hint))


def _passed(content: Content, keep_alive: float) -> Response:
    if content.is_stream:
        return EventStream(content.pieces(), close=content.aclose, keep_alive=keep_alive, headers=content.headers)
    return PassingAnswer(content.pieces(), content.media_type, close=content.aclose, headers=content.headers)


async def _replied(reply: Reply, keep_alive: float, *, streamed: bool) -> Response:
    if streamed:
        return EventStream(reply.frames(), close=reply.aclose, keep_alive=keep_alive, headers=reply.headers)
    try:
        return json_answer(await reply.body(), headers=reply.headers)
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
