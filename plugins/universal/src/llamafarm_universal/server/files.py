"""The files of models: POST /v1/models/pull fetches them and loads nothing, DELETE /v1/models/{id} deletes them.

The store does both; whoever waits for a pull and goes away ends it, and what has come stays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Any

from llamafarm.errors import ModelNotFound, RequestError
from llamafarm.web import EventStream, json_answer
from llamafarm.wire import sse
from starlette.requests import Request
from starlette.responses import Response

from llamafarm_universal.failure import RequestFailed, refused
from llamafarm_universal.messages import LoadProgress, LoadSettings, ModelRef, Pulled
from llamafarm_universal.safety import HubId, parse_model_id
from llamafarm_universal.server.endpoint import is_trusted, runtime_of
from llamafarm_universal.server.errors import failure
from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.models import error_frame, progress_frame
from llamafarm_universal.server.runtime import Runtime
from llamafarm_universal.server.steps import steps_of


async def pull(request: Request, parsed: Parsed) -> Response:
    runtime = runtime_of(request)
    settings = LoadSettings(**parsed.get("settings", {}))
    ref = runtime.handles.allow(parsed.values["id"], settings, trusted=is_trusted(request))
    if not parsed.get("stream"):
        return json_answer(_told(ref, await runtime.store.pull(ref)))
    steps = steps_of(partial(runtime.store.pull, ref))
    step = await anext(steps)  # what is refused at once is a status
    return EventStream(
        _frames(ref, steps, step),
        close=steps.aclose,
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
    with runtime.residency.deletions.of(name):
        await _unload(runtime, name)
        freed = await runtime.store.remove(name)
    return json_answer({"id": name, "object": "model", "deleted": True, "freed_bytes": freed})


async def _unload(runtime: Runtime, name: str) -> None:
    """Unload all copies of a model, each once its running answers have ended.

    An adapter of it that is loaded stays: its weights are in memory, and it needs these files no more.
    """
    for resident in [each for each in runtime.residency.residents if each.ref.id == name]:
        with suppress(ModelNotFound):  # somebody else has unloaded it meanwhile
            await runtime.residency.unload(resident.ref)


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


async def _frames(
    ref: ModelRef, steps: AsyncGenerator[LoadProgress | Pulled, None], step: LoadProgress | Pulled
) -> AsyncGenerator[bytes, None]:
    while isinstance(step, LoadProgress):
        yield progress_frame(step)
        step = await anext(steps)
    yield sse.encode(_told(ref, step), event="pulled")


def _told(ref: ModelRef, pulled: Pulled) -> dict[str, Any]:
    return {"id": ref.id, "fetched": pulled.fetched, "size_bytes": pulled.size_bytes}
