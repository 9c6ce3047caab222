"""The way to a runtime over HTTP: pooled connections, time limits, retries, and what answers and refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamafarm.lazy import importer

if TYPE_CHECKING:
    from llamafarm.http.address import host_and_port, is_loopback, normalize_base_url
    from llamafarm.http.answer import Answer
    from llamafarm.http.content import read_content
    from llamafarm.http.refusal import NEVER_RETRIED, ReadError, Refusal, error_of
    from llamafarm.http.reply import SseReply, read_reply
    from llamafarm.http.upstream import HttpUpstream

_HOMES = {
    "address": ("host_and_port", "is_loopback", "normalize_base_url"),
    "answer": ("Answer",),
    "content": ("read_content",),
    "refusal": ("NEVER_RETRIED", "ReadError", "Refusal", "error_of"),
    "reply": ("SseReply", "read_reply"),
    "upstream": ("HttpUpstream",),
}

__all__ = [
    "NEVER_RETRIED",
    "Answer",
    "HttpUpstream",
    "ReadError",
    "Refusal",
    "SseReply",
    "error_of",
    "host_and_port",
    "is_loopback",
    "normalize_base_url",
    "read_content",
    "read_reply",
]


__getattr__ = importer(__name__, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
