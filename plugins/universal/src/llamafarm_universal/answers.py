"""What a Universal Runtime says of its models and of their loads, as the core's own types."""

from __future__ import annotations

from typing import Any, cast

from llamafarm import ModelInfo, Progress


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


def info_of(item: dict[str, Any]) -> ModelInfo:
    """What is known of a model, of a row of `GET /v1/models`."""
    features = item.get("features")
    return ModelInfo(
        id=str(item.get("id")),
        features=frozenset(map(str, features)) if isinstance(features, list) else None,
        context_length=whole_number(item, "context_length"),
        size_bytes=whole_number(item, "size_bytes"),
        loaded=bool(item["loaded"]) if "loaded" in item else None,
        memory_bytes=whole_number(item, "memory_bytes"),
        downloaded=bool(item["downloaded"]) if "downloaded" in item else None,
        details=item,
    )


def has_adapter(info: ModelInfo) -> bool:
    """Whether that is a model with an adapter, and not the model itself."""
    settings = info.details.get("settings")
    return isinstance(settings, dict) and settings.get("adapter") is not None


def whole_number(said: dict[str, Any], name: str) -> int | None:
    """A field that holds a whole number; None where it holds anything else, or is not there."""
    value = said.get(name)
    return value if isinstance(value, int) else None
