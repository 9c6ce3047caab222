"""Which model is in the server's memory, and with which settings: seen to before a request that needs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import quote

from llamafarm import Call, Progress
from llamafarm.errors import ModelNotFound, ProviderError, ProviderTimeout
from llamafarm.http import HttpUpstream

from llamafarm_lemonade.config import LemonadeEntry
from llamafarm_lemonade.pull import pull

LOOK_SECONDS = 5.0
"""How long the server may take to say whether it has a model's files."""


class Loading:
    """Downloads and loads models, one at a time.

    By default the server keeps one model of a kind, and loads whichever a request names with settings of its own. So
    an entry's settings are sent whenever another entry was asked before; where nothing has changed the server does
    nothing.
    """

    def __init__(self, upstream: HttpUpstream) -> None:
        self._upstream = upstream
        self._lock = asyncio.Lock()
        self._last: tuple[str, str] | None = None

    async def prepare(self, call: Call) -> None:
        """Have the entry's model there, loaded with the entry's settings. Raises ProviderError."""
        entry = _entry(call)
        wanted = (entry.model, json.dumps(entry.lemonade.settings(), sort_keys=True))
        if self._last == wanted:
            return
        async with self._alone(call):
            if self._last != wanted:
                await self._fetch(call)
                if entry.lemonade.settings():
                    await self._load(call)
                self._last = wanted

    async def load(self, call: Call) -> None:
        """Download the entry's model where it is missing, and load it, whatever has been asked before."""
        async with self._alone(call):
            await self._fetch(call)
            await self._load(call)

    async def pull(self, call: Call) -> None:
        """Download the entry's model, whatever is there already. Raises ProviderError."""
        await pull(self._upstream, _entry(call), call)
        call.progress(Progress("ready", f"{call.entry.model} is there"))

    async def unload(self, call: Call) -> bool:
        """Take the entry's model out of memory; False where it was not there. Raises ProviderError."""
        self.forget()
        try:
            await self._upstream.post_json("/unload", {"model_name": call.entry.model}, call)
        except ModelNotFound:
            return False
        return True

    async def remove(self, call: Call) -> None:
        """Delete the entry's model from the disk, and from memory. Raises ModelNotFound, and ProviderError.

        To the server one that is missing is deleted too (recorded), so it is looked for first.
        """
        if not await self._is_there(call):
            raise ModelNotFound(
                f"{self._upstream.endpoint.address} does not have the model {call.entry.model!r}.",
                provider=self._upstream.endpoint.provider,
                hint="Nothing was deleted; `lemonade list` shows what is there.",
            )
        self.forget()
        await self._upstream.post_json("/delete", {"model_name": call.entry.model}, call)

    def forget(self) -> None:
        """Take nothing for loaded: the server is another one now, or has lost its models."""
        self._last = None

    async def _load(self, call: Call) -> None:
        entry = _entry(call)
        call.progress(Progress("loading", f"Loading {entry.model}"))
        await self._upstream.post_json("/load", {"model_name": entry.model, **entry.lemonade.settings()}, call)
        call.progress(Progress("ready", f"{entry.model} is loaded"))

    async def _fetch(self, call: Call) -> None:
        """Download the model where the server says that its files are missing."""
        if await self._is_missing(call):
            await pull(self._upstream, _entry(call), call)

    async def _is_there(self, call: Call) -> bool:
        """Whether the server has the model's files, or knows the name and does not tell. Raises ProviderError."""
        try:
            row = await self._upstream.get_json(model_path(call.entry.model), within=_patience(call))
        except ModelNotFound:
            return False
        return row.get("downloaded") is not False

    async def _is_missing(self, call: Call) -> bool:
        """Whether its files are missing and can be had; of anything else the request itself tells better."""
        entry = _entry(call)
        try:
            row = await self._upstream.get_json(model_path(entry.model), within=_patience(call))
        except ModelNotFound:
            return entry.lemonade.checkpoint is not None
        except ProviderError:
            return False
        return row.get("downloaded") is False

    @asynccontextmanager
    async def _alone(self, call: Call) -> AsyncIterator[None]:
        """Only one model is loaded at a time; whoever waits for that keeps its own time limit."""
        try:
            async with asyncio.timeout_at(call.deadline):
                await self._lock.acquire()
        except TimeoutError:
            endpoint = self._upstream.endpoint
            raise ProviderTimeout(
                f"{endpoint.named(call.entry.model)} at {endpoint.address} was still loading when the time was over.",
                provider=endpoint.provider,
            ) from None
        try:
            yield
        finally:
            self._lock.release()


def model_path(model: str) -> str:
    """Where the server tells about one model."""
    return f"/models/{quote(model, safe='')}"


def _entry(call: Call) -> LemonadeEntry:
    return cast("LemonadeEntry", call.entry)


def _patience(call: Call) -> float:
    limits = [LOOK_SECONDS, call.entry.timeouts.first_byte or LOOK_SECONDS]
    if call.deadline is not None:
        limits.append(max(0.0, call.deadline - asyncio.get_running_loop().time()))
    return min(limits)
