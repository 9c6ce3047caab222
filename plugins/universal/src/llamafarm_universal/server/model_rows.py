"""A model as `GET /v1/models` tells of it: how it is in memory, what lies on the disk, and what it can be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from llamafarm_universal.messages import FileFacts, LoadedModel, ModelRef, Stored
from llamafarm_universal.server.requests import media_of, requests_of
from llamafarm_universal.server.runtime import Runtime

STARTED = int(time.time())
_LATER = ("device", "dtype", "memory", "optimizations")
"""What is only known of a loaded model, whatever its kind."""


def known(runtime: Runtime) -> list[ModelRef]:
    """What is in memory or on its way there, and what the operator's file names."""
    refs = [*(resident.ref for resident in runtime.residency.residents), *runtime.settings.operator.models.values()]
    return list({runtime.handles.name(ref): ref for ref in refs}.values())


async def rows_of(runtime: Runtime, refs: Iterable[ModelRef]) -> list[dict[str, Any]]:
    """What is known of each of these models. Raises LlamaFarmError."""
    asked = list(refs)
    ids = {name for ref in asked for name in (ref.id, ref.settings.adapter) if name is not None}
    stored = await runtime.store.describe(ids)
    told = await runtime.store.inspect(ref for ref in asked if ref.is_adapted or not _is_loaded(runtime, ref))
    return [_row(runtime, ref, stored, told.get(ref)) for ref in asked]


def loaded_facts(model: LoadedModel) -> dict[str, Any]:
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
        "requests": requests_of(model.operations, model.features),
        "media": media_of(model.operations, model.features),
        "not_applied": list(model.not_applied),
        "optimizations": list(model.optimizations),
    }


def _file_facts(facts: FileFacts | None) -> dict[str, Any]:
    """What a model's files say that is not loaded; nothing where they are not here."""
    if facts is None:
        return {}
    if facts.problem is not None:
        return {"problem": facts.problem}
    able = facts.abilities
    return {
        "task": facts.task,
        "engine": facts.engine,
        "parameters": facts.parameters,
        "context_length": able.context_length,
        "features": sorted(able.features),
        "requests": requests_of(able.operations, able.features),
        "media": media_of(able.operations, able.features),
        "known_once_loaded": [*sorted(able.later), *_LATER],
    }


def _adapter(ref: ModelRef, facts: FileFacts | None) -> dict[str, Any]:
    """What is put on the model, as its settings and its own files say."""
    settings = ref.settings
    if settings.adapter is None:
        return {}
    own = {} if facts is None or facts.adapter is None else asdict(facts.adapter)
    own.pop("weight_bytes", None)
    told = {"model": settings.adapter, "revision": settings.adapter_revision, "scale": settings.adapter_scale}
    return {"adapter": {**told, **own}}


def _disk_facts(ref: ModelRef, stored: Mapping[str, Stored], facts: FileFacts | None) -> dict[str, Any]:
    """Whether the model's files are here, and their bytes; of one with an adapter, those of the adapter.

    An adapter is whole without the model that it names itself: it is put on another one, perhaps a copy.
    """
    if ref.settings.adapter is None:
        own = stored.get(ref.id)
        return {"downloaded": own is not None and own.complete, "size_bytes": own and own.size_bytes}
    if facts is not None and facts.adapter is not None:
        return {"downloaded": True, "size_bytes": facts.adapter.weight_bytes}
    own = stored.get(ref.settings.adapter)
    return {"downloaded": facts is not None, "size_bytes": own and own.size_bytes}


def _is_loaded(runtime: Runtime, ref: ModelRef) -> bool:
    resident = runtime.residency.find(ref)
    return resident is not None and resident.model is not None


def _row(runtime: Runtime, ref: ModelRef, stored: Mapping[str, Stored], facts: FileFacts | None) -> dict[str, Any]:
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
        **({} if _is_loaded(runtime, ref) else _file_facts(facts)),
        **_state(runtime, ref),
        **_adapter(ref, facts),
        **_disk_facts(ref, stored, facts),
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
    return {**now, **loaded_facts(resident.model)}
