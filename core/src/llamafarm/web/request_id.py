"""The outermost layer: an id of our own for every request, the access log, and an answer whatever fails inside."""

from __future__ import annotations

import logging
import re
import secrets
import time
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm.errors import LlamaFarmError
from llamafarm.web.errors import error_response

SCOPE_KEY = "llamafarm.request_id"
SANE = re.compile(rb"[\x21-\x7e]{1,200}")
access = logging.getLogger("llamafarm.access")
log = logging.getLogger(__name__)


def request_id_of(request: Request) -> str:
    """Our own id of this request."""
    return _id(request.scope)


class RequestIdMiddleware:
    """Answers carry `X-LF-Request-ID`, which is ours, and `X-Request-ID`: the client's as it is, else ours.

    A client's id is never used for anything but this echo: two requests may carry the same one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[SCOPE_KEY] = f"req_{secrets.token_hex(12)}"
        answer = _Answer(scope, send)
        began = time.perf_counter()
        try:
            await self.app(scope, receive, answer.send)
        except Exception:
            log.exception("Request %s failed.", _id(scope))
            await answer.fail(receive)
        finally:
            seconds = time.perf_counter() - began
            path = quote(scope["path"])  # a line of the log stays one line
            access.info("%s %s %s %.3fs %s", scope["method"], path, answer.status, seconds, _id(scope))


class _Answer:
    """Adds the ids to the head of one answer, and knows whether it has begun. No status: the client went away."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.status: int | str = "-"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._ids()]}
        await self._send(message)

    async def fail(self, receive: Receive) -> None:
        if self.status != "-":
            raise RuntimeError("the answer failed after it had begun")  # the connection is closed
        error = LlamaFarmError("The server failed.", hint="Its log says more, under this X-LF-Request-ID.")
        response = error_response(error)
        response.headers["x-should-retry"] = "false"  # OpenAI's clients would ask again, and get the same
        await response(self._scope, receive, self.send)

    def _ids(self) -> list[tuple[bytes, bytes]]:
        ours = _id(self._scope).encode()
        theirs = next((value for name, value in self._scope["headers"] if name == b"x-request-id"), b"")
        return [(b"x-request-id", theirs if SANE.fullmatch(theirs) else ours), (b"x-lf-request-id", ours)]


def _id(scope: Scope) -> str:
    found: str = scope[SCOPE_KEY]
    return found
