"""Which server is behind an address: named, told by the address, or by what it says when it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from llamafarm import Call, Endpoint
from llamafarm.errors import ProviderError
from llamafarm.http import HttpUpstream
from llamafarm.wire import Operation

from llamafarm_openai_compat.config import OpenAIEndpoint
from llamafarm_openai_compat.profile import Profile, Rows
from llamafarm_openai_compat.profiles import ASKED, GENERIC, profile_at, profile_named
from llamafarm_openai_compat.request import is_treated

ASK_SECONDS = 3.0
"""How long the server may take to list its models."""
AGAIN_SECONDS = 30.0
"""After an answer that did not come, the server is taken as it is for so long."""

_TREATED = frozenset[str]().union(*(profile.treated for profile in ASKED))
_AT_ROOT = frozenset[str]().union(*(profile.at_root for profile in ASKED))


class Recognition:
    """Knows the profile of one server, or finds out once a request needs it. It is asked once, by whoever comes first.

    A server that does not answer gets requests as they are, and is asked again later.
    """

    def __init__(self, endpoint: Endpoint, upstream: HttpUpstream) -> None:
        self.known = _told(endpoint)
        self._endpoint = endpoint
        self._upstream = upstream
        self._asking: asyncio.Task[Profile] | None = None
        self._again = 0.0

    async def profile(self, request: Mapping[str, Any], operation: Operation, call: Call) -> Profile:
        """The server's profile, as far as this request needs it: one that every server treats alike asks nobody."""
        if self.known is not None:
            return self.known
        if operation.name in _AT_ROOT or _is_treated_somewhere(request, operation):
            return await self._found_out(call)
        return GENERIC

    def learn(self, rows: Rows, server: str) -> Profile:
        """Recognise the server by its list of models. server: the header `Server` of that answer.

        An empty list of a server that does not name itself tells nothing; it is asked again later.
        """
        if self.known is None:
            found = next((profile for profile in ASKED if profile.matches(rows, server)), GENERIC)
            self._again = asyncio.get_running_loop().time() + AGAIN_SECONDS
            if found is GENERIC and not rows:
                return found
            self.known = found
        return self.known

    def forget(self) -> None:
        """Forget what the server said of itself: it has gone, and another may come in its place."""
        self.known = _told(self._endpoint)
        self._again = 0.0

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _found_out(self, call: Call) -> Profile:
        if self._asking is None:
            if asyncio.get_running_loop().time() < self._again:
                return GENERIC
            self._asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout_at(call.deadline):
                return await asyncio.shield(self._asking)
        except TimeoutError:
            return GENERIC  # the request itself is late by now, and says so

    async def _ask(self) -> Profile:
        try:
            rows, server = await listing(self._upstream, within=ASK_SECONDS)
            return self.learn(rows, server)
        except ProviderError:
            self._again = asyncio.get_running_loop().time() + AGAIN_SECONDS
            return GENERIC
        finally:
            self._asking = None


async def listing(upstream: HttpUpstream, path: str = "/models", *, within: float = 10.0) -> tuple[Rows, str]:
    """The models that a server lists, as a list or as an object with one, and its header `Server`.

    Raises ProviderError.
    """
    async with await upstream.get(path, within=within) as answer:
        body = await answer.value()
        rows = body.get("data") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise answer.broken(f"is no list of models: {str(body)[:200]}")
        return [row for row in rows if isinstance(row, dict)], str(answer.headers.get("server", ""))


def _is_treated_somewhere(request: Mapping[str, Any], operation: Operation) -> bool:
    return not _TREATED.isdisjoint(request) and any(is_treated(request, operation, one) for one in ASKED)


def _told(endpoint: Endpoint) -> Profile | None:
    """The profile that needs no asking: of an entry that names it, or of an address that tells it."""
    if not isinstance(endpoint, OpenAIEndpoint):
        return GENERIC
    return profile_named(endpoint.profile) if endpoint.profile else profile_at(endpoint.base_url)
