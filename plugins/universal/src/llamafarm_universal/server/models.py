"""The models in memory: GET /v1/models and /v1/models/{id}, POST /v1/models/describe, /load and /unload.

Fetching and deleting their files is in `files.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from llamafarm.errors import LlamaFarmError, RequestError
from llamafarm.web import EventStream, json_answer
from llamafarm.wire import error_envelope, sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import LoadedModel, LoadProgress, LoadSettings, ModelRef
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.model_rows import known, loaded_facts, rows_of
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.steps import steps_of


async def list_models(request: Request) -> Response:
    runtime = runtime_of(request)
    return json_answer({"object": "list", "data": await rows_of(runtime, known(runtime))})


async def get_model(request: Request) -> Response:
    """A model that is loaded, that the operator's file names, or whose files are here."""
    runtime, name = runtime_of(request), request.path_params["name"]
    ref = _named(runtime, name, trusted=is_trusted(request))
    return await _described(runtime, ref, name)


async def describe(request: Request, parsed: Parsed) -> Response:
    """A model as it is loaded, or would be, with settings of its own."""
    runtime, name = runtime_of(request), parsed.values["id"]
    settings = LoadSettings(**parsed.get("settings", {}))
    return await _described(runtime, runtime.handles.allow(name, settings, trusted=is_trusted(request)), name)


async def load(request: Request, parsed: Parsed) -> Response:
    runtime = runtime_of(request)
    settings = LoadSettings(**parsed.get("settings", {}))
    ref = runtime.handles.allow(parsed.values["id"], settings, trusted=is_trusted(request))
    runtime.keep(ref, parsed.get("keep_alive"), parsed.get("group"))
    if not parsed.get("stream"):
        return json_answer(_loaded(runtime, await runtime.load(ref, lambda _: None)))
    steps = steps_of(partial(runtime.load, ref))
    step = await anext(steps)  # what is refused at once is a status
    return EventStream(
        _frames(runtime, steps, step),
        close=steps.aclose,
        keep_alive=runtime.settings.keep_alive_seconds,
        error_frame=error_frame,
    )


async def unload(request: Request, parsed: Parsed) -> Response:
    name = parsed.values["model"]
    runtime = runtime_of(request)
    await runtime.residency.unload(runtime.handles.resolve(name, trusted=is_trusted(request)))
    return json_answer({"model": name, "unloaded": True})


async def _frames(
    runtime: Runtime, steps: AsyncGenerator[LoadProgress | LoadedModel, None], step: LoadProgress | LoadedModel
) -> AsyncGenerator[bytes, None]:
    while isinstance(step, LoadProgress):
        yield progress_frame(step)
        step = await anext(steps)
    yield sse.encode(_loaded(runtime, step), event="loaded")


def progress_frame(event: LoadProgress) -> bytes:
    told = {"stage": event.stage, "text": event.text, "done": event.done, "total": event.total}
    if event.file is not None:
        told |= {"file": event.file, "index": event.index, "count": event.count}
    return sse.encode(told, event="progress")


def error_frame(error: LlamaFarmError) -> bytes:
    return sse.encode(error_envelope(error), event="error")


def _loaded(runtime: Runtime, model: LoadedModel) -> dict[str, Any]:
    return {"model": runtime.handles.name(model.ref), "id": model.ref.id, **loaded_facts(model)}


async def _described(runtime: Runtime, ref: ModelRef | None, name: str) -> Response:
    if ref is not None:
        [row] = await rows_of(runtime, [ref])
        if ref in known(runtime) or row["size_bytes"] is not None or row["downloaded"]:
            return json_answer(row)
    raise RequestError(
        f"No model {name[:200]!r} is loaded here.",
        hint="Load it with POST /v1/models/load, or just name it in a request.",
        status=404,
        code="model_not_loaded",
        param="model",
    )


def _named(runtime: Runtime, name: str, *, trusted: bool) -> ModelRef | None:
    """The model of a name; None for what is no name, and for what this server may not load."""
    try:
        return runtime.handles.resolve(name, trusted=trusted)
    except LlamaFarmError:
        return None
