"""Who may ask from a browser: the Host and Origin headers, against DNS rebinding and foreign web pages."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llamafarm.api.errors import error_response
from llamafarm.api.settings import ALLOWED_HOSTS, ALLOWED_ORIGINS, Limits
from llamafarm.errors import RequestError


class OriginMiddleware:
    """Refuses a foreign Host, and an Origin that is neither this server's own nor allowed. Programs send no Origin."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.hosts = limits.hosts
        self.origins = limits.origins

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
        if self.hosts is not None and _name(hosts[0]) not in self.hosts:
            message = f"This server does not answer to the name {_name(hosts[0])!r}."
            hint = f"Allow the name with {ALLOWED_HOSTS}, or use {', '.join(sorted(self.hosts))}."
            return RequestError(message, hint=hint, status=403, code="host_not_allowed")
        origin = headers.get("origin")
        if origin is None or self._is_allowed(origin.lower(), hosts[0].lower()):
            return None
        message = f"Web pages from {origin} may not use this server."
        return RequestError(message, hint=f"Allow them with {ALLOWED_ORIGINS}.", status=403, code="origin_not_allowed")

    def _is_allowed(self, origin: str, host: str) -> bool:
        own = (f"http://{host}", f"https://{host}")
        return origin in own or origin in self.origins or "*" in self.origins


def _name(host: str) -> str:
    """The name in a Host header, without port and final dot; an IPv6 address keeps its brackets."""
    host = host.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")
