"""The models in memory: GET /v1/models and /v1/models/{id}, POST /v1/models/load and /v1/models/unload.

Fetching and deleting their files is in `files.py`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from llamafarm.errors import LlamaFarmError, RequestError
from llamafarm.web import EventStream, json_answer, request_id_of
from llamafarm.wire import error_envelope, sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import (
    Answer,
    Load,
    Loaded,
    LoadedModel,
    LoadProgress,
    LoadSettings,
    ModelRef,
    Stored,
    Unload,
)
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.runtime import Runtime, Ticket

STARTED = int(time.time())


async def list_models(request: Request) -> Response:
    runtime = runtime_of(request)
    rows = _known(runtime).values()
    stored = await runtime.store.describe({row["model"] for row in rows})
    told = [{**row, **_disk_facts(stored.get(row["model"]))} for row in rows]
    return json_answer({"object": "list", "data": told})


async def get_model(request: Request) -> Response:
    """A model that is loaded, that the operator's file names, or whose files are here."""
    runtime, name = runtime_of(request), request.path_params["name"]
    ref = _named(runtime, name, trusted=is_trusted(request))
    row = _known(runtime).get(runtime.handles.name(ref)) if ref else None
    stored = (await runtime.store.describe([ref.id])).get(ref.id) if ref else None
    if ref is None or (row is None and stored is None):
        raise RequestError(
            f"No model {name[:200]!r} is loaded here.",
            hint="Load it with POST /v1/models/load, or just name it in a request.",
            status=404,
            code="model_not_loaded",
            param="model",
        )
    return json_answer({**(row or _row(runtime, ref)), **_disk_facts(stored)})


async def load(request: Request, parsed: Parsed) -> Response:
    runtime = runtime_of(request)
    settings = LoadSettings(**parsed.get("settings", {}))
    ref = runtime.handles.allow(parsed.values["id"], settings, trusted=is_trusted(request))
    ticket = await runtime.submit((Load(request_id_of(request), ref),), slots=1)
    if not parsed.get("stream"):
        try:
            return json_answer(_loaded(runtime, await _until_loaded(ticket)))
        finally:
            ticket.close()
    return await _stream(runtime, ticket)


async def unload(request: Request, parsed: Parsed) -> Response:
    name = parsed.values["model"]
    runtime = runtime_of(request)
    ref = runtime.handles.resolve(name, trusted=is_trusted(request))
    ticket = await runtime.submit((Unload(request_id_of(request), ref),), slots=0)
    try:
        await ticket.events.next()
    finally:
        ticket.close()
    return json_answer({"model": name, "unloaded": True})


async def _until_loaded(ticket: Ticket) -> LoadedModel:
    while True:
        event = await ticket.events.next()
        if isinstance(event, Loaded):
            return event.model


async def _stream(runtime: Runtime, ticket: Ticket) -> EventStream:
    """A stream from the first thing that the host says: what it refuses at once is a status."""
    try:
        first = await ticket.events.next()
    except BaseException:
        ticket.close()
        raise
    return EventStream(
        _frames(runtime, ticket, first),
        close=ticket.close,
        keep_alive=runtime.settings.keep_alive_seconds,
        error_frame=error_frame,
    )


async def _frames(runtime: Runtime, ticket: Ticket, event: Answer) -> AsyncGenerator[bytes, None]:
    while not isinstance(event, Loaded):
        if isinstance(event, LoadProgress):
            yield progress_frame(event)
        event = await ticket.events.next()
    yield sse.encode(_loaded(runtime, event.model), event="loaded")


def progress_frame(event: LoadProgress) -> bytes:
    told = {"stage": event.stage, "text": event.text, "done": event.done, "total": event.total}
    if event.file is not None:
        told |= {"file": event.file, "index": event.index, "count": event.count}
    return sse.encode(told, event="progress")


def error_frame(error: LlamaFarmError) -> bytes:
    return sse.encode(error_envelope(error), event="error")


def _loaded(runtime: Runtime, model: LoadedModel) -> dict[str, Any]:
    return {"model": runtime.handles.name(model.ref), "id": model.ref.id, **_facts(model)}


def _facts(model: LoadedModel) -> dict[str, Any]:
    return {
        "task": model.task,
        "engine": model.engine,
        "device": model.device,
        "dtype": model.dtype,
        "parameters": model.parameters,
        "memory_bytes": model.memory_bytes,
        "context_length": model.context_length,
        "dimensions": model.dimensions,
        "features": sorted(model.features),
    }


def _known(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """What is loaded, and what the operator's file names, by name."""
    loaded = {
        model.ref: {**_row(runtime, model.ref), **_facts(model), "loaded": True} for model in runtime.supervisor.loaded
    }
    named = {ref: _row(runtime, ref) for ref in runtime.settings.operator.models.values()}
    return {row["id"]: row for row in (named | loaded).values()}


def _named(runtime: Runtime, name: str, *, trusted: bool) -> ModelRef | None:
    """The model of a name; None for what is no name, and for what this server may not load."""
    try:
        return runtime.handles.resolve(name, trusted=trusted)
    except LlamaFarmError:
        return None


def _disk_facts(stored: Stored | None) -> dict[str, Any]:
    """Whether the model's files are here, and their bytes."""
    return {"downloaded": stored is not None and stored.complete, "size_bytes": stored and stored.size_bytes}


def _row(runtime: Runtime, ref: ModelRef) -> dict[str, Any]:
    owner, _, rest = ref.id.partition("/")
    is_hub_id = bool(rest and owner) and ":" not in owner
    return {
        "id": runtime.handles.name(ref),
        "object": "model",
        "created": STARTED,
        "owned_by": owner if is_hub_id else "local",
        "model": ref.id,
        "settings": asdict(ref.settings),
        "loaded": False,
    }
