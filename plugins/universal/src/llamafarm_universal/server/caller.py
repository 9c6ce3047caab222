"""Who asks: on whose behalf, and for how long somebody waits."""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass

from llamafarm.errors import RequestError
from llamafarm.web import request_id_of
from starlette.requests import Request

TENANT_HEADER = "X-LF-Tenant"
DEADLINE_HEADER = "X-LF-Deadline"
LONGEST_SECONDS = 24 * 3600.0
"""Nobody waits longer than a day, whatever the header says."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    request_id: ours, never the client's. tenant: requests of different ones take turns. deadline: until when somebody
    waits, on the event loop's clock.
    """

    request_id: str
    tenant: str = ""
    deadline: float | None = None


def caller_of(request: Request) -> Caller:
    """Who asks, by the headers of the request. Raises RequestError for a deadline that makes no sense."""
    return Caller(request_id_of(request), _tenant(request), _deadline(request))


def _tenant(request: Request) -> str:
    """As the client names it; else those who come from one address with one key are one."""
    if named := request.headers.get(TENANT_HEADER, "").strip():
        return named
    address = request.client.host if request.client else ""
    key = request.headers.get("authorization", "")
    return hashlib.sha256(f"{address} {key}".encode()).hexdigest()[:16]


def _deadline(request: Request) -> float | None:
    text = request.headers.get(DEADLINE_HEADER)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        message = f"{DEADLINE_HEADER} must be the number of seconds that somebody waits, not {text[:40]!r}."
        raise RequestError(message, param=DEADLINE_HEADER, code="invalid_value")
    return asyncio.get_running_loop().time() + min(max(seconds, 0.0), LONGEST_SECONDS)
