"""A model in the list of models, with the fields that LlamaFarm adds beside OpenAI's.

Source: OpenAI's API reference, "Models".
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    provider: NotRequired[str]
    model: NotRequired[str]
    """The runtime's own id, where `id` is the name of a model entry."""
    default: NotRequired[bool]
    description: NotRequired[str | None]
    available: NotRequired[bool]
    error: NotRequired[str | None]
    status: NotRequired[dict[str, Any]]
    """What the runtime says of it now, where that was asked for: `state`, `detail`, and the fields of `ModelInfo`."""
