"""What servers say of their models, read into `ModelInfo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm import InstructorMode, ModelInfo

_LENGTHS = (
    "max_model_len",  # vLLM
    "loaded_context_length",  # LM Studio, of a model that is in memory
    "context_length",  # Together, OpenRouter
    "max_context_length",  # LM Studio
    "context_window",  # Groq
)
_META_LENGTHS = ("n_ctx", "n_ctx_train")
"""llama.cpp: what a request has, and what the model was trained for."""
_STUDIO_KINDS: Mapping[str, frozenset[str]] = {
    "llm": frozenset({"chat"}),
    "vlm": frozenset({"chat", "vision"}),
    "embeddings": frozenset({"embeddings"}),
}


def model_info(row: Mapping[str, Any], structured: InstructorMode | None = None) -> ModelInfo:
    """One row of a list of models; what it does not say stays unknown.

    structured: the mode that holds best at this kind of server.
    """
    meta = row.get("meta") if isinstance(row.get("meta"), dict) else {}
    size = meta.get("size") if isinstance(meta, dict) else None
    return ModelInfo(
        id=str(row.get("id")),
        features=_features(row),
        context_length=_first(row, _LENGTHS) or _first(meta or {}, _META_LENGTHS),
        size_bytes=size if type(size) is int else None,
        loaded=_loaded(row),
        structured=structured,
        details=row,
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((row[name] for name in names if type(row.get(name)) is int and row[name] > 0), None)


def _features(row: Mapping[str, Any]) -> frozenset[str] | None:
    """LM Studio's `type` and `capabilities`; others do not say."""
    kind = _STUDIO_KINDS.get(str(row.get("type"))) if "state" in row else None
    if kind is None:
        return None
    able = row.get("capabilities")
    return kind | ({"tools"} if isinstance(able, list) and "tool_use" in able else frozenset())


def _loaded(row: Mapping[str, Any]) -> bool | None:
    """LM Studio's `state`, and the `status` of llama.cpp's server with several models."""
    status = row.get("status")
    said = status.get("value") if isinstance(status, dict) else row.get("state")
    return said == "loaded" if isinstance(said, str) else None
