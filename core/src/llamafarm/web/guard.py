"""The outermost layer of a server: ids of requests, who may ask, the access log, and an answer in every case."""

from __future__ import annotations

import hmac
import logging
import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm.errors import LlamaFarmError, RequestError
from llamafarm.web.answers import error_response, json_answer, router_refusal
from llamafarm.web.origin import Names

LIVE_PATH = "/health/live"
REQUEST_ID = "llamafarm.request_id"
"""Where a request's scope holds our own id of it."""
SANE_ID = re.compile(r"[\x21-\x7e]{1,200}")
access = logging.getLogger("llamafarm.access")
log = logging.getLogger(__name__)


class Guard:
    """Lets requests through to `routes`, and answers those that it refuses, and whatever fails inside.

    key: what every path but the liveness probe's asks for. names: the Host and Origin headers that are let in; None:
    any. pages: origins whose web pages may read the answers; their preflight requests carry no key. public: whether a
    request needs no key.
    """

    def __init__(
        self,
        routes: ASGIApp,
        *,
        key: str | None = None,
        names: Names | None = None,
        pages: Collection[str] = (),
        public: Callable[[Scope], bool] | None = None,
    ) -> None:
        self._routes = routes
        self._key = None if key is None else key.encode()
        self._names = names
        self._public = public
        self._cors = CORSMiddleware(
            self._keyed,
            allow_origins=sorted(pages),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=["*"],  # the limits that a runtime tells are among them, by names of its own
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "lifespan":
            await self._routes(scope, receive, send)
        else:
            await self._logged(scope, receive, send)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        # It tells requests apart and opens nothing, so that it need not be asked of the system each time.
        request_id = scope[REQUEST_ID] = f"req_{random.getrandbits(96):024x}"
        answer = _Answer(send, _id_headers(request_id, headers.get("x-request-id")))
        began = time.perf_counter()
        try:
            await self._answered(scope, receive, answer, headers)
        except Exception:
            log.exception("Request %s failed.", request_id)
            if answer.status != "-":
                raise RuntimeError("the answer failed after it had begun") from None  # the connection is closed
            error = LlamaFarmError("The server failed.", hint="Its log says more, under this X-LF-Request-ID.")
            await error_response(error, lasting=True)(scope, receive, answer.send)
        finally:
            if access.isEnabledFor(logging.INFO):
                path = quote(scope["path"])  # a line of the log stays one line
                seconds = time.perf_counter() - began
                access.info("%s %s %s %.3fs %s", scope["method"], path, answer.status, seconds, request_id)

    async def _answered(self, scope: Scope, receive: Receive, answer: _Answer, headers: Headers) -> None:
        scope["app"] = self  # so that starlette's router raises what it refuses
        try:
            if self._names and (refusal := self._names.refusal(headers)):
                raise refusal
            await (self._cors if "origin" in headers else self._keyed)(scope, receive, answer.send)
        except (LlamaFarmError, HTTPException) as error:
            if answer.status != "-":
                raise
            response = error_response(error) if isinstance(error, LlamaFarmError) else router_refusal(scope, error)
            await response(scope, receive, answer.send)

    async def _keyed(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._key is None or scope["path"] == LIVE_PATH or (self._public and self._public(scope)):
            await self._routes(scope, receive, send)
            return
        shown = Headers(scope=scope).getlist("authorization")
        if hmac.compare_digest(_key_of(shown), self._key):
            await self._routes(scope, receive, send)
            return
        message = "The API key is wrong." if shown else "This server needs an API key."
        hint = "Send the header `Authorization: Bearer KEY`."
        response = error_response(RequestError(message, hint=hint, status=401, code="invalid_api_key"))
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)


def request_id_of(request: Request) -> str:
    """Our own id of this request."""
    request_id: str = request.scope[REQUEST_ID]
    return request_id


def live_route() -> Route:
    """The route `GET /health/live`, for probes: the process answers, and says no more, to anybody, key or no key."""

    async def live(_: Request) -> Response:
        return json_answer({"status": "ok"})

    return Route(LIVE_PATH, live, methods=["GET"])


class _Answer:
    """Adds headers to the head of one answer, and knows whether it has begun. No status: the client went away."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status: int | str = "-"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        await self._send(message)


def _id_headers(ours: str, theirs: str | None) -> list[tuple[bytes, bytes]]:
    """Headers of the answer: `X-LF-Request-ID`, which is ours, and `X-Request-ID`: the client's as it is, else ours.

    A client's id is never used for anything but this echo: two requests may carry the same one.
    """
    echo = theirs if theirs and SANE_ID.fullmatch(theirs) else ours
    return [(b"x-request-id", echo.encode()), (b"x-lf-request-id", ours.encode())]


def _key_of(shown: Sequence[str]) -> bytes:
    """The key of a request with these Authorization headers; empty where there is none or more than one."""
    kind, _, key = shown[0].partition(" ") if len(shown) == 1 else ("", "", "")
    return key.encode("latin-1").strip() if kind.lower() == "bearer" else b""
