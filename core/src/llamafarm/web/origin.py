"""Who may ask from a browser: the Host and Origin headers, against DNS rebinding and foreign web pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers

from llamafarm.errors import RequestError

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/?#\s]+)(:[0-9]*)?")


@dataclass(frozen=True)
class Names:
    """Refuses a foreign Host, and an Origin that is neither this server's own nor allowed. Programs send no Origin.

    hosts: whether a name is one of this server's; it gets it in small letters, without port and final dot, an IPv6
    address in brackets, and an empty text for what is no name. origins: whether the pages of an origin may ask, beside
    those that this server sends itself. The hints say what to do about a refusal.
    """

    hosts: Callable[[str], bool]
    origins: Callable[[str], bool]
    host_hint: str
    origin_hint: str | None = None

    def refusal(self, headers: Headers) -> RequestError | None:
        """Why a request with these headers may not pass."""
        hosts, origin = headers.getlist("host"), headers.get("origin")
        if len(hosts) != 1:
            return RequestError("The request needs one Host header.", code="host_not_allowed")
        host = hosts[0].lower()
        if not self.hosts(_name(host)):
            message = f"This server does not answer to the name {host[:100]!r}."
            return RequestError(message, hint=self.host_hint, status=403, code="host_not_allowed")
        page = (origin or "").lower()
        if origin is None or page in (f"http://{host}", f"https://{host}") or self.origins(page):
            return None
        message = f"Web pages from {origin[:100]} may not use this server."
        return RequestError(message, hint=self.origin_hint, status=403, code="origin_not_allowed")


def _name(host: str) -> str:
    match = HOST.fullmatch(host)
    return match[1].rstrip(".") if match else ""
