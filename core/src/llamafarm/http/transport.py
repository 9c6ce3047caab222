"""Our connections as a transport of httpx."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
from httpx_aiohttp import AiohttpTransport


class SharedTransport(AiohttpTransport):
    """Sends the requests of an httpx client over connections that belong to somebody else, who closes them."""

    def __init__(self, pool: Callable[[], aiohttp.ClientSession]) -> None:
        super().__init__(client=pool, verify=False)  # the pool has its certificates already

    async def aclose(self) -> None:
        """Nothing is open here."""
