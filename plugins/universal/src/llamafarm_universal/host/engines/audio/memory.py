"""What the audio engine works with beside a model's weights, estimated from its configuration alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamafarm_universal.engine import Candidate
from llamafarm_universal.placement import BYTES

LEAST_WINDOWS = {"cpu": 2}
MOST_WINDOWS = {"cpu": 8}
"""How many windows are read at once. On a processor more bring little, and each takes memory."""
_LEAST_ELSEWHERE, _MOST_ELSEWHERE = 4, 32


def window_bytes(config: Mapping[str, Any], bytes_of_number: int) -> int:
    """What one window takes while it is written down: what the encoder says of it, and the keys and values of that.

    Those of its text are counted too. 0 where a configuration does not name the shapes.
    """
    width, layers = int(config.get("d_model") or 0), int(config.get("decoder_layers") or 0)
    positions = int(config.get("max_source_positions") or 0) + int(config.get("max_target_positions") or 0)
    return width * positions * (2 * layers + 1) * bytes_of_number


def activation_bytes(config: Mapping[str, Any], bytes_of_number: int) -> int:
    """What the encoder takes for one window: hidden states, the inside of a feed-forward layer, attention scores."""
    width = int(config.get("d_model") or config.get("hidden_size") or 0)
    inner = int(config.get("encoder_ffn_dim") or config.get("intermediate_size") or 4 * width)
    positions = int(config.get("max_source_positions") or 1500)
    heads = int(config.get("encoder_attention_heads") or config.get("num_attention_heads") or 1)
    return positions * (8 * width + 2 * inner + heads * positions) * bytes_of_number


def working_bytes(candidate: Candidate) -> int:
    """What is needed at least."""
    return _bytes(candidate, LEAST_WINDOWS.get(candidate.device, _LEAST_ELSEWHERE))


def wished_bytes(candidate: Candidate) -> int:
    """What could be used where memory is free."""
    return _bytes(candidate, most_windows(candidate.device))


def most_windows(device: str) -> int:
    """How many windows are read at once at most."""
    return MOST_WINDOWS.get(device, _MOST_ELSEWHERE)


def batch_of(device: str) -> int:
    """How many windows are computed at one go: on a processor one, since a step holds up all other models."""
    return 1 if device == "cpu" else 8


def windows_within(candidate: Candidate, grant: int) -> int:
    """How many windows can be read at once with so many bytes."""
    size = BYTES[candidate.dtype]
    each = window_bytes(candidate.config, size)
    free = grant - activation_bytes(candidate.config, size)
    return max(1, min(most_windows(candidate.device), free // each if each else most_windows(candidate.device)))


def _bytes(candidate: Candidate, windows: int) -> int:
    size = BYTES[candidate.dtype]
    return activation_bytes(candidate.config, size) + windows * window_bytes(candidate.config, size)
