"""What the resources' handlers have in common: the runtime, whether LlamaFarm asks, naming ignored fields."""

from __future__ import annotations

from starlette.requests import Request

from llamafarm_universal.server.fields import Parsed
from llamafarm_universal.server.operator import TOKEN_HEADER
from llamafarm_universal.server.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.state.runtime
    return runtime


def is_trusted(request: Request) -> bool:
    """Whether the request shows the token that LlamaFarm has put down for this server."""
    return runtime_of(request).settings.operator.trusts(request.headers.get(TOKEN_HEADER))


def ignored_header(parsed: Parsed) -> dict[str, str]:
    return {"X-LF-Ignored": ", ".join(parsed.ignored)} if parsed.ignored else {}
