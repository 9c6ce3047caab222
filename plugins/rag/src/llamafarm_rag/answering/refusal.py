"""The answer where no source holds one: the model is not asked."""

from __future__ import annotations

import time
from typing import Any

import llamafarm


def refused(turn: llamafarm.Turn, refusal: str) -> llamafarm.JsonReply:
    """The refusal as an answer of no tokens and no sources, once for each choice that was asked for."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": refusal},
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
        "sources": [],
        "citations": {"removed": [], "added": [], "uncited": [], "unsupported": []},
    }
    wants_usage = bool((turn.request.get("stream_options") or {}).get("include_usage"))
    return llamafarm.JsonReply(answer, usage=wants_usage)
