"""The API key: asked for on every path, known or not, but one."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from llamafarm.errors import RequestError
from llamafarm.web.live import LIVE_PATH


class ApiKey:
    """Compares `Authorization: Bearer KEY` in constant time."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def refusal(self, path: str, shown: Sequence[bytes]) -> RequestError | None:
        """Why a request may not pass. path: as the router sees it; shown: its Authorization headers."""
        if path == LIVE_PATH or hmac.compare_digest(_key_of(shown), self._key):
            return None
        return RequestError(
            "The API key is wrong." if shown else "This server needs an API key.",
            hint="Send the header `Authorization: Bearer KEY`.",
            status=401,
            code="invalid_api_key",
        )


def _key_of(shown: Sequence[bytes]) -> bytes:
    """The key that a request shows; empty where there is none or more than one."""
    kind, _, key = shown[0].partition(b" ") if len(shown) == 1 else (b"", b"", b"")
    return key.strip() if kind.lower() == b"bearer" else b""
