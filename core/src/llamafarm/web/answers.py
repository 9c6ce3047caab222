"""JSON answers, written as the rest of LlamaFarm writes JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from llamafarm.wire.body import dump


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer whose body is `value`; bytes are JSON already."""
    content = value if isinstance(value, bytes) else dump(value)
    return Response(content, status, headers, media_type="application/json")
