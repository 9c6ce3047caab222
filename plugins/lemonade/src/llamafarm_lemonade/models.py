"""What the server says of its models, read into `ModelInfo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm import ModelInfo

PREFIXES = ("user.", "extra.", "builtin.")
"""A name is accepted with and without them; lists show it without, unless two models share it."""
_GIB = 2**30
_FEATURES = {
    "vision": "vision",
    "tool-calling": "tools",
    "reasoning": "reasoning",
    "embeddings": "embeddings",
    "reranking": "rerank",
    "transcription": "transcriptions",
    "tts": "speech",
    "image": "images",
    "edit": "image edits",
    "chat": "chat",
}
"""The server's labels, and what they are called here."""
_WITH_GRAMMARS = ("llamacpp", "vllm")
"""Recipes that hold an answer to a schema."""


def bare(name: str) -> str:
    """A model's name as lists show it."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name.removesuffix(":latest")


def model_info(row: Mapping[str, Any], health: Mapping[str, Any]) -> ModelInfo:
    """One model of `GET /v1/models`; health: the answer of `/v1/health`, which knows what is in memory.

    How much memory a model takes, no answer of the server tells.
    """
    name = str(row.get("id"))
    loaded = {bare(str(one.get("model_name"))): one for one in _rows(health.get("all_models_loaded"))}
    now = loaded.get(bare(name))
    size, downloaded = row.get("size"), row.get("downloaded")
    return ModelInfo(
        id=name,
        features=_features(row.get("labels")),
        context_length=_context(row, now),
        size_bytes=int(size * _GIB) if isinstance(size, int | float) and size > 0 else None,
        loaded=now is not None,
        downloaded=downloaded if isinstance(downloaded, bool) else None,
        structured="json_schema" if row.get("recipe") in _WITH_GRAMMARS else "json",
        details={**row, **({"loaded_as": now} if now else {})},
    )


def _context(row: Mapping[str, Any], now: Mapping[str, Any] | None) -> int | None:
    """The context that a request has: the one that the model was loaded with, else the one that it would be."""
    options = now.get("recipe_options") if now else None
    for found in ((options or {}).get("ctx_size"), row.get("context_length"), row.get("max_context_window")):
        if type(found) is int and found > 0:
            return found
    return None


def _features(labels: Any) -> frozenset[str] | None:
    """What the labels tell; None for a model of the user's own, of which the server does not know what it can do."""
    if not isinstance(labels, list) or "custom" in labels:
        return None
    return frozenset(_FEATURES[label] for label in labels if label in _FEATURES)


def _rows(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def model_rows(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a model list."""
    return _rows(body.get("data"))
