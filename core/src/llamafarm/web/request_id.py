"""An id of our own for every request, beside the client's."""

from __future__ import annotations

import random
import re

from starlette.requests import Request
from starlette.types import Scope

SCOPE_KEY = "llamafarm.request_id"
SANE = re.compile(r"[\x21-\x7e]{1,200}")


def request_id_of(request: Request) -> str:
    """Our own id of this request."""
    request_id: str = request.scope[SCOPE_KEY]
    return request_id


def give_id(scope: Scope) -> str:
    """Give a request its id."""
    # It tells requests apart and opens nothing, so that it need not be asked of the system each time.
    request_id = scope[SCOPE_KEY] = f"req_{random.getrandbits(96):024x}"
    return request_id


def id_headers(ours: str, theirs: str | None) -> list[tuple[bytes, bytes]]:
    """Headers of the answer: `X-LF-Request-ID`, which is ours, and `X-Request-ID`: the client's as it is, else ours.

    A client's id is never used for anything but this echo: two requests may carry the same one.
    """
    echo = theirs if theirs and SANE.fullmatch(theirs) else ours
    return [(b"x-request-id", echo.encode()), (b"x-lf-request-id", ours.encode())]
