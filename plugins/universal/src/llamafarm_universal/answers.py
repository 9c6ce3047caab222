"""What a Universal Runtime says of its models and of their loads, as the core's own types."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, cast

from llamafarm import InstructorMode, ModelInfo, Progress


def progress_of(said: dict[str, Any]) -> Progress:
    """How a load or a download goes on, of an event `progress`."""
    stage = "downloading" if said.get("stage") == "downloading" else "loading"
    file = said.get("file")
    return Progress(
        cast("Any", stage),
        str(said.get("text") or stage),
        whole_number(said, "done"),
        whole_number(said, "total"),
        file if isinstance(file, str) else None,
        whole_number(said, "index"),
        whole_number(said, "count"),
    )


_SIGNATURE = re.compile(r"[@,]signed=\w+$")
"""With it a handle may be asked for, which is nothing to show."""
_NOT_SHOWN = ("id", "object", "created", "owned_by", "model", "queue", "settings", "idle_seconds", "running")
"""What a row says beside what is known of the model."""
_FIELDS = tuple(field.name for field in fields(ModelInfo))
_SAYING_NOTHING = {"state": ("absent", "ready"), "quantization": ("none",)}
"""Values that say no more than whether it is loaded, and that it is as its author made it."""
_DEFAULTS = (None, False, "auto", "none")
"""Settings that change nothing."""


def info_of(item: dict[str, Any]) -> ModelInfo:
    """What is known of a model, of a row of `GET /v1/models`."""
    told = item.get("features")
    features = frozenset(map(str, told)) if isinstance(told, list) else None
    return ModelInfo(
        id=_SIGNATURE.sub("", str(item.get("id"))),
        features=features,
        context_length=whole_number(item, "context_length"),
        size_bytes=whole_number(item, "size_bytes"),
        loaded=bool(item["loaded"]) if "loaded" in item else None,
        memory_bytes=whole_number(item, "memory_bytes"),
        downloaded=bool(item["downloaded"]) if "downloaded" in item else None,
        structured=_structured(features, loaded=item.get("loaded") is not False),
        details=_details(item),
    )


def _structured(features: frozenset[str] | None, *, loaded: bool) -> InstructorMode | None:
    """The mode that holds best. Of a model that is not loaded, that of nearly all: its files do not tell."""
    if features is not None and "chat" not in features:
        return None
    return "md_json" if loaded and features is not None and "structured" not in features else "json_schema"


def _details(item: dict[str, Any]) -> dict[str, Any]:
    """The rest that says something: neither what is said above, nor what nobody has set."""
    said = {name: value for name, value in item.items() if name not in (*_NOT_SHOWN, *_FIELDS)}
    for name, values in _SAYING_NOTHING.items():
        if said.get(name) in values:
            del said[name]
    if changed := _changed(item.get("settings")):
        said["settings"] = changed
    return {name: value for name, value in said.items() if value is not None and value not in ([], {})}


def _changed(settings: Any) -> dict[str, Any]:
    """The settings that are not the default; those of an adapter are told with it."""
    given = settings if isinstance(settings, dict) else {}
    told = {name: value for name, value in given.items() if not name.startswith("adapter") and value not in _DEFAULTS}
    if options := told.pop("options", None):
        told |= dict(options)
    return told


def is_plain(row: dict[str, Any], model: str) -> bool:
    """Whether a row of `GET /v1/models` is that model, without an adapter."""
    settings = row.get("settings")
    has_adapter = isinstance(settings, dict) and settings.get("adapter") is not None
    return model in (row.get("id"), row.get("model")) and not has_adapter


def whole_number(said: dict[str, Any], name: str) -> int | None:
    """A field that holds a whole number; None where it holds anything else, or is not there."""
    value = said.get(name)
    return value if isinstance(value, int) else None


def whole_numbers(said: dict[str, Any], name: str, count: int) -> list[int] | None:
    """A list of so many whole numbers; None for anything else."""
    value = said.get(name)
    if isinstance(value, list) and len(value) == count and set(map(type, value)) <= {int}:
        return value
    return None
