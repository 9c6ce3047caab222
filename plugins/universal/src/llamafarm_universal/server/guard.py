"""What every request passes first: its id, the names that a browser may use, and the API key."""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from llamafarm.errors import AuthenticationFailed, LlamaFarmError, RequestError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llamafarm_universal.server.settings import Settings

_ECHOED = re.compile(r"[\x21-\x7e]{1,128}")
OPEN_PATHS = frozenset({"/health/live"})
"""Answered without the key: they say nothing but that the process lives."""


class Activity:
    """When the server was last used, so that it can stop when it is idle. Health checks are no use."""

    def __init__(self) -> None:
        self._running = 0
        self._last = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self._running else time.monotonic() - self._last

    def begin(self) -> None:
        self._running += 1

    def end(self) -> None:
        self._running -= 1
        self._last = time.monotonic()


class Guard:
    """ASGI middleware. It decides by `scope["path"]`, which is what the router goes by, never by a URL put together.

    It stands around the whole application, so that even a crash is answered with the request's id.
    refuse: sends an error as an answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        activity: Activity,
        refuse: Callable[[LlamaFarmError, Scope, Receive, Send], Awaitable[None]],
    ) -> None:
        self._app = app
        self._settings = settings
        self._activity = activity
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = uuid.uuid4().hex
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        shown = headers.get("x-request-id", "")
        send = _with_request_id(send, shown if _ECHOED.fullmatch(shown) else request_id)
        try:
            self._check(scope["path"], headers)
        except LlamaFarmError as error:
            await self._refuse(error, scope, receive, send)
            return
        await self._forward(scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/health"):
            await self._app(scope, receive, send)
            return
        self._activity.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._activity.end()

    def _check(self, path: str, headers: Headers) -> None:
        if is_loopback(self._settings.host):
            _check_browser(headers)
        if self._settings.api_key is not None and path not in OPEN_PATHS:
            _check_key(headers, self._settings.api_key)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, for sure."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_browser(headers: Headers) -> None:
    """Refuse what a page of another site sends: by a name that it had resolve to this machine, or across origins."""
    host = _host_name(f"//{headers.get('host', '')}")
    if host is None or not is_loopback(host):
        raise RequestError(
            "This server answers on this machine's own names only.",
            hint="Use http://127.0.0.1 or http://localhost.",
            status=403,
            code="host_not_allowed",
        )
    origin = headers.get("origin")
    if origin is not None and not is_loopback(_host_name(origin) or ""):
        raise RequestError("Pages of other sites may not use this server.", status=403, code="origin_not_allowed")


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _check_key(headers: Headers, key: str) -> None:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode("latin-1"), key.encode()):
        return
    raise AuthenticationFailed(
        "The API key is missing or wrong.", hint="Send 'Authorization: Bearer KEY' with the server's key."
    )


def _with_request_id(send: Send, request_id: str) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Request-ID"] = request_id
        await send(message)

    return send_with_id
