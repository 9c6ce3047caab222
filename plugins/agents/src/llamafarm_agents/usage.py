"""Counts of tokens in what a request asks for."""

from __future__ import annotations

import llamafarm


def wants_usage(turn: llamafarm.Turn) -> bool:
    """Whether a streamed answer is to end with its token counts."""
    return bool((turn.request.get("stream_options") or {}).get("include_usage"))
