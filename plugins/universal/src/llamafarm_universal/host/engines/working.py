"""What torch's engines work with beside a model's weights, estimated from its configuration alone.

Where a configuration does not name its shapes, as models without attention do not, the estimate is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llamafarm_universal.engine import Candidate, Limits
from llamafarm_universal.placement import BYTES

CACHED_TOKENS = 8192
"""Of all running sequences together: so many fit into what a text model needs at least."""
_MOST_WISHED = 131_072
_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads")
_ATTENTION = 3
_NEVER = 2**40  # tokens
STATEFUL_TEXTS = 8
"""So many texts with states run at once in what a text model needs at least."""
LIVE_STATES = 8
"""So many copies of a batch's hidden states are counted as alive at once in one layer."""


def wished_tokens(config: Mapping[str, Any]) -> int:
    """What a text model can use: the cache of its longest text, or of many short ones."""
    context = _first(config.get("text_config") or config, "max_position_embeddings", "n_positions", "n_ctx")
    return min(_MOST_WISHED, max(4 * CACHED_TOKENS, context))


def heads_for_each_key(config: Mapping[str, Any]) -> int:
    """How many heads of queries share a head of keys and values."""
    shapes = _shapes(config)
    return max(1, _first(config.get("text_config") or config, *_HEADS) // shapes.heads) if shapes else 1


def doubles_at(config: Mapping[str, Any], parameters: int) -> int:
    """Behind so many tokens attention costs a token as much as all else: twice what the first one costs.

    An estimate, for as long as nothing has been read.

    All else are two operations for each parameter; attention is four for each number of a query and each token that is
    looked at, which take _ATTENTION times as long as those of a product of large matrices.
    """
    shapes = _shapes(config)
    if shapes is None:
        return _NEVER
    queries = _first(config.get("text_config") or config, *_HEADS)
    return max(1, parameters // (2 * shapes.layers * queries * shapes.head_size * _ATTENTION))


def cache_bytes(candidate: Candidate, tokens: int) -> int:
    """The KV cache of so many tokens: a key and a value for each layer and each of its heads.

    Source: the shapes of transformers' DynamicCache.
    """
    shapes = _shapes(candidate.config)
    if shapes is None or ("state_size" in candidate.config and "num_attention_heads" not in candidate.config):
        return 0
    return 2 * shapes.layers * shapes.heads * shapes.head_size * tokens * BYTES[candidate.dtype]


def state_bytes(candidate: Candidate) -> int:
    """What a model with states remembers of a text however long it is, counted twice: texts are stacked anew at times.

    A little much for hybrids, since every layer is counted as one with states. 0 for models without.
    Source: the shapes of transformers' LinearAttentionLayer, in float32.
    """
    config = candidate.config.get("text_config") or candidate.config
    hidden = _first(config, "hidden_size")
    layers = _first(config, "num_hidden_layers", "n_layer", "num_layers")
    size = _first(config, "state_size", "mamba_d_state", "ssm_state_size")
    width = _first(config, "conv_kernel", "mamba_d_conv", "linear_conv_kernel_dim", "conv_L_cache") or 4
    inner = _first(config, "mamba_d_ssm") or hidden * (_first(config, "mamba_expand", "expand") or 2)
    keys, values = (
        _first(config, f"linear_num_{kind}_heads") * _first(config, f"linear_{kind}_head_dim")
        for kind in ("key", "value")
    )
    if size:
        numbers = inner * size + (inner + 2 * size * (_first(config, "n_groups", "mamba_n_groups") or 1)) * width
    elif values:
        numbers = values * _first(config, "linear_key_head_dim") + (2 * keys + values) * width
    else:
        numbers = hidden * width if "conv_L_cache" in config else 0
    return 2 * layers * numbers * 4


def batch_bytes(candidate: Candidate) -> int:
    """The activations of one batch: its hidden states, the inside of a feed-forward layer, and attention scores.

    Of a model that reads pictures too it is the batch that takes more, since one batch holds texts or pictures.
    """
    halves = (candidate.config.get("text_config") or candidate.config, candidate.config.get("vision_config") or {})
    return max(_batch_bytes(half, Limits().batch_step(candidate.device)) for half in halves)


def _batch_bytes(config: Mapping[str, Any], tokens: int) -> int:
    shapes = _shapes(config)
    if shapes is None:
        return 0
    longest = min(_first(config, "max_position_embeddings") or 512, tokens)
    return tokens * (LIVE_STATES * shapes.hidden + 2 * shapes.inner + shapes.heads * longest) * 4


class _Shapes(NamedTuple):
    """layers. heads: of keys and values. The rest: numbers of one head, of a hidden state, inside a feed-forward."""

    layers: int
    heads: int
    head_size: int
    hidden: int
    inner: int


def _shapes(config: Mapping[str, Any]) -> _Shapes | None:
    config = config.get("text_config") or config
    hidden = _first(config, "hidden_size", "n_embd", "d_model", "dim")
    layers = _first(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers")
    heads = _first(config, *_HEADS)
    if not (hidden and layers and heads):
        return None
    head_size = _first(config, "head_dim", "d_kv") or hidden // heads
    inner = _first(config, "intermediate_size", "n_inner", "d_ff", "hidden_dim") or 4 * hidden
    return _Shapes(layers, _first(config, "num_key_value_heads") or heads, head_size, hidden, inner)


def _first(config: Mapping[str, Any], *names: str) -> int:
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), 0)
