"""The models in memory: GET /v1/models and /v1/models/{id}, POST /v1/models/load and /v1/models/unload.

Fetching and deleting their files is in `files.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from functools import partial
from typing import Any

from llamafarm.errors import LlamaFarmError, RequestError
from llamafarm.web import EventStream, json_answer
from llamafarm.wire import error_envelope, sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.messages import LoadedModel, LoadProgress, LoadSettings, ModelRef, Stored
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.steps import steps_of

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
    return {"model": runtime.handles.name(model.ref), "id": model.ref.id, **_facts(model)}


def _facts(model: LoadedModel) -> dict[str, Any]:
    return {
        "task": model.task,
        "engine": model.engine,
        "device": model.device,
        "dtype": model.dtype,
        "quantization": model.ref.settings.quantization,
        "likeness": model.likeness,
        "parameters": model.parameters,
        "memory_bytes": model.memory_bytes,
        "context_length": model.context_length,
        "dimensions": model.dimensions,
        "features": sorted(model.features),
        "not_applied": list(model.not_applied),
        "optimizations": list(model.optimizations),
    }


def _known(runtime: Runtime) -> dict[str, dict[str, Any]]:
    """What is in memory or on its way there, and what the operator's file names, by name."""
    refs = [*(resident.ref for resident in runtime.residency.residents), *runtime.settings.operator.models.values()]
    return {row["id"]: row for row in (_row(runtime, ref) for ref in dict.fromkeys(refs))}


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
        "queue": asdict(runtime.load_of(ref)),
        **_state(runtime, ref),
    }


def _state(runtime: Runtime, ref: ModelRef) -> dict[str, Any]:
    """How a model is. idle_seconds: how long it has had no request, None while it has some."""
    resident = runtime.residency.find(ref)
    if resident is None:
        cause = runtime.residency.quarantine.cause(ref)
        return {"loaded": False, "state": "quarantined" if cause else "absent", **({"cause": cause} if cause else {})}
    if resident.model is None:
        return {"loaded": False, "state": resident.state}
    idle = None if resident.is_busy else round(asyncio.get_running_loop().time() - resident.idle_since, 3)
    now = {"loaded": True, "state": resident.state, "running": resident.active, "idle_seconds": idle}
    return {**now, **_facts(resident.model)}
