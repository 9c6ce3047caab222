"""Who may ask from a browser: the Host and Origin headers, against DNS rebinding and foreign web pages."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llamafarm.errors import RequestError
from llamafarm.web.errors import error_response

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\s]+)(:[0-9]*)?")


class OriginMiddleware:
    """Refuses a foreign Host, and an Origin that is neither this server's own nor allowed. Programs send no Origin.

    hosts: whether a name is one of this server's; it gets it in small letters, without port and final dot, an IPv6
    address in brackets, and an empty text for what is no name. origins: whether the pages of an origin may ask, beside
    those that this server sends itself. The hints say what to do about a refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[str], bool],
        origins: Callable[[str], bool],
        host_hint: str,
        origin_hint: str | None = None,
    ) -> None:
        self.app = app
        self._hosts = hosts
        self._origins = origins
        self._host_hint = host_hint
        self._origin_hint = origin_hint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            error = self._refusal(Headers(scope=scope))
            if error is not None:
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, headers: Headers) -> RequestError | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return RequestError("The request needs one Host header.", code="host_not_allowed")
        host = hosts[0].lower()
        if not self._hosts(_name(host)):
            message = f"This server does not answer to the name {host!r}."
            return RequestError(message, hint=self._host_hint, status=403, code="host_not_allowed")
        origin = headers.get("origin")
        if origin is None or origin.lower() in (f"http://{host}", f"https://{host}") or self._origins(origin.lower()):
            return None
        message = f"Web pages from {origin} may not use this server."
        return RequestError(message, hint=self._origin_hint, status=403, code="origin_not_allowed")


def _name(host: str) -> str:
    found = HOST.fullmatch(host)
    return found[1].rstrip(".") if found else ""
