"""Answers that no model gives: refusals, and sentences of sources."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import llamafarm

NOTHING_CITED: dict[str, Any] = {
    "sources": [],
    "citations": {"removed": [], "added": [], "uncited": [], "unsupported": []},
}


def unasked(turn: llamafarm.Turn, text: str, beside: Mapping[str, Any] = NOTHING_CITED) -> llamafarm.JsonReply:
    """A text as an answer of no tokens, once for each choice that was asked for. beside: further fields of it."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None,
        }
        for index in range(turn.request.get("n") or 1)
    ]
    answer: dict[str, Any] = {
        "id": f"chatcmpl-{turn.call.request_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": turn.entry.model,
        "choices": choices,
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        **beside,
    }
    wants_usage = bool((turn.request.get("stream_options") or {}).get("include_usage"))
    return llamafarm.JsonReply(answer, usage=wants_usage)
