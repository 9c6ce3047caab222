"""The files of models: POST /v1/models/pull fetches them and loads nothing, DELETE /v1/models/{id} deletes them.

The engine host does both; whoever waits for a pull and goes away ends it, and what has come stays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from llamafarm.errors import RequestError
from llamafarm.web import EventStream, json_answer, request_id_of
from llamafarm.wire import sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import Answer, LoadProgress, LoadSettings, ModelRef, Pull, Pulled, Remove, Removed
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.models import error_frame, progress_frame
from llamafarm_universal.server.runtime import Ticket


async def pull(request: Request, parsed: Parsed) -> Response:
    runtime = runtime_of(request)
    settings = LoadSettings(**parsed.get("settings", {}))
    ref = runtime.handles.allow(parsed.values["id"], settings, trusted=is_trusted(request))
    ticket = await runtime.submit((Pull(request_id_of(request), ref),), slots=1)
    try:
        event = await ticket.events.next()
        if not parsed.get("stream"):
            while not isinstance(event, Pulled):
                event = await ticket.events.next()
            ticket.close()
            return json_answer(_told(ref, event))
    except BaseException:
        ticket.close()
        raise
    return EventStream(
        _frames(ref, ticket, event),
        close=ticket.close,
        keep_alive=runtime.settings.keep_alive_seconds,
        error_frame=error_frame,
    )


async def remove(request: Request) -> Response:
    """Deletes for LlamaFarm, which shows its token, and for those who show the server's key: it is their disk."""
    name = request.path_params["name"]
    runtime = runtime_of(request)
    if not is_trusted(request) and runtime.settings.api_key is None:
        raise RequestError(
            "Models are deleted only for LlamaFarm, when it has started this server, or with the server's API key.",
            hint="Start the server with UNIVERSAL_RUNTIME_API_KEY set and send that key, "
            "or delete the model with `hf cache rm`.",
            status=403,
            code="privileged_setting",
        )
    _check(name)
    ticket = await runtime.submit((Remove(request_id_of(request), name),), slots=0)
    try:
        event = await ticket.events.next()
    finally:
        ticket.close()
    assert isinstance(event, Removed)
    return json_answer({"id": name, "object": "model", "deleted": True, "freed_bytes": event.freed_bytes})


def _check(name: str) -> None:
    """Raises RequestError for what is no model of the hub."""
    try:
        if isinstance(parse_model_id(name), HubId):
            return
        raise refused(
            f"`{name[:200]}` is a folder that this server only reads; models of the hub are what it deletes.", "model"
        )
    except RequestFailed as error:
        raise failure(error.event("")) from None


async def _frames(ref: ModelRef, ticket: Ticket, event: Answer) -> AsyncGenerator[bytes, None]:
    while not isinstance(event, Pulled):
        if isinstance(event, LoadProgress):
            yield progress_frame(event)
        event = await ticket.events.next()
    yield sse.encode(_told(ref, event), event="pulled")


def _told(ref: ModelRef, event: Pulled) -> dict[str, Any]:
    return {"id": ref.id, "fetched": event.fetched, "size_bytes": event.size_bytes}
