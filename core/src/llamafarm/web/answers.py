"""JSON answers, written as the rest of LlamaFarm writes JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from llamafarm.wire.body import dump
from llamafarm.wire.unparsed import Unparsed


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer whose body is `value`; bytes, and an answer that is there as its bytes, are JSON already."""
    content = value.content if isinstance(value, Unparsed) else value
    if not isinstance(content, bytes):
        content = dump(content)
    return Response(content, status, headers, media_type="application/json")
