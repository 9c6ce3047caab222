"""What a model is called where it must be told from every other one that gives other vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import llamafarm

from llamafarm_rag.config.embedders import EmbeddingStrategy

CHANGING = ("revision", "quantization", "checkpoint", "model_api_parameters", "extra_body")
"""Fields of entries, and of the blocks in them, that make other vectors of one model.

Where it runs, on what and in which number format makes none that differ in more than rounding.
"""


def model_identity(entry: llamafarm.ModelEntry, strategy: EmbeddingStrategy) -> str:
    """`provider:model`, then `@revision` where the entry has one, then a hash of all else that makes other vectors."""
    told = dict(_changing(entry.model_dump(mode="json")))
    revision = told.pop("revision", None)
    told |= strategy.config.model_dump(include={"prompts", "input_types"}, exclude_none=True, exclude_defaults=True)
    name = f"{entry.provider}:{entry.model}" + (f"@{revision}" if revision else "")
    if not told:
        return name
    return f"{name}#{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]}"


def _changing(fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that are set, of the entry and of its blocks."""
    for key, value in fields.items():
        if key in CHANGING and value not in (None, "none", "", {}):
            yield key, value
        elif isinstance(value, dict):
            yield from ((inner, own) for inner, own in _changing(value) if inner in CHANGING)
