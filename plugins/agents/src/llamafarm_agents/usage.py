"""Counts of tokens: whether they are asked for, and their sum."""

from __future__ import annotations

from typing import Any

import llamafarm


def wants_usage(turn: llamafarm.Turn) -> bool:
    """Whether a streamed answer is to end with its token counts."""
    return bool((turn.request.get("stream_options") or {}).get("include_usage"))


def added(usage: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The sum of two counts of tokens, part by part."""
    total = dict(usage)
    for name, value in more.items():
        if isinstance(value, dict):
            total[name] = added(total.get(name) or {}, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            total[name] = (total.get(name) or 0) + value
        else:
            total.setdefault(name, value)
    return total
