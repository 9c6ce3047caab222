"""How many tokens a model can take, by what its configuration says; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "n_ctx", "seq_length")
"""What configurations of transformers call it."""
BEHIND_PADDING = frozenset(
    {"camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta",
     "xlm-roberta-xl", "xmod"}
)  # fmt: skip
"""Model types that count positions from behind that of the padding, so that their table has as many rows more."""


def context_length_of(config: Mapping[str, Any]) -> int | None:
    """Of a config.json; None where it does not say, as where it is what its class has anyway."""
    text = config.get("text_config")
    config = text if isinstance(text, Mapping) else config
    if "relative_attention_num_buckets" in config:  # T5 and its kin know distances only
        return None
    values = [config.get(key) for key in KEYS]
    length = next((value for value in values if isinstance(value, int) and value > 0), None)
    if length is None or config.get("model_type") not in BEHIND_PADDING:
        return length
    padding = config.get("pad_token_id")
    return length - padding - 1 if isinstance(padding, int) else None


def unknown_length(length: int | None) -> frozenset[str]:
    """What only a loaded model tells, as of `Abilities.later`, where its files did not."""
    return frozenset({"context_length"}) if length is None else frozenset()
