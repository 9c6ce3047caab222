"""The API key: asked for on every path, known or not, but one."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from llamafarm.errors import RequestError
from llamafarm.web.errors import error_response
from llamafarm.web.live import LIVE_PATH


class ApiKeyMiddleware:
    """Compares `Authorization: Bearer KEY` in constant time. key=None: no key is needed."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app = app
        self.key = None if key is None else key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self.key is None or self._admits(scope, self.key):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await error_response(_refusal(scope))(scope, receive, send)

    def _admits(self, scope: Scope, key: bytes) -> bool:
        # The path as the router sees it: a URL put together from headers could be made to look like another.
        return scope["path"] == LIVE_PATH or hmac.compare_digest(_shown(scope), key)


def _shown(scope: Scope) -> bytes:
    """The key that a request shows; empty where there is none or more than one."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, key = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    return bytes(key.strip()) if kind.lower() == b"bearer" else b""


def _refusal(scope: Scope) -> RequestError:
    shown = any(name == b"authorization" for name, _ in scope["headers"])
    return RequestError(
        "The API key is wrong." if shown else "This server needs an API key.",
        hint="Send the header `Authorization: Bearer KEY`.",
        status=401,
        code="invalid_api_key",
    )
