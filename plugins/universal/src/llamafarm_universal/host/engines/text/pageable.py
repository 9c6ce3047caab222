"""Which models compute their attention so that others can do it for them: what it depends on is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

_KNOWN_TENSORS = frozenset({"s_aux", "position_ids", "logits_to_keep"})
"""Among the options that a model gives its attention."""


class NotPaged(Exception):
    """A model's attention needs more than queries, keys and values of each token."""


@contextmanager
def attention_restored_on_failure(module: Any) -> Iterator[None]:
    """Whatever fails within, the model computes its attention as before, and NotPaged is raised."""
    implementation = module.config._attn_implementation
    try:
        yield
    except Exception as error:
        module.set_attn_implementation(implementation)
        raise error if isinstance(error, NotPaged) else NotPaged(str(error)) from error


def check_options(options: Mapping[str, Any]) -> None:
    """Raises NotPaged where a model gives its attention tensors of which nothing is known here."""
    tensors = {name for name, value in options.items() if isinstance(value, torch.Tensor)}
    if unknown := sorted(tensors - _KNOWN_TENSORS):
        raise NotPaged(f"the model's attention depends on {', '.join(unknown)}")


def check_positions(config: Any, *rope_types: str) -> None:
    """Raises NotPaged where the position of a token is computed from more than the token's own place.

    rope_types: those that whoever asks can do something about.
    """
    if (getattr(config, "rope_parameters", None) or {}).get("rope_type") in {"dynamic", "longrope"}.difference(
        rope_types
    ):
        raise NotPaged("the model's positions depend on the longest text of a step")


def longest_short_text(config: Any) -> int | None:
    """Up to how many tokens a model turns its queries and keys otherwise than beyond; None where there is no border.

    Source: transformers, `longrope_frequency_update`.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    return int(rope["original_max_position_embeddings"]) if rope.get("rope_type") == "longrope" else None
