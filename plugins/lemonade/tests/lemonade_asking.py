"""A provider, an entry that leads to a played server, and the calls of a test."""

from __future__ import annotations

from typing import Any, Self

from lemonade_server import MODEL
from llamafarm.providers.base import Call, Progress
from llamafarm.providers.reply import Reply
from llamafarm_kit.testing import ScriptedUpstream
from llamafarm_lemonade.config import LemonadeEntry, endpoint
from llamafarm_lemonade.provider import LemonadeProvider

MESSAGES = [{"role": "user", "content": "Hello"}]


class Asking:
    """told: the progress that was told. Further fields are those of the entry."""

    def __init__(self, upstream: ScriptedUpstream, **more: Any) -> None:
        self.upstream = upstream
        self.entry = self.entry_of(**more)
        self.provider = LemonadeProvider(endpoint(self.entry))
        self.told: list[Progress] = []

    def entry_of(self, **more: Any) -> LemonadeEntry:
        fields = {"name": "e", "provider": "lemonade", "model": MODEL, "base_url": self.upstream.base_url}
        return LemonadeEntry(**{**fields, **more})

    def call(self, entry: LemonadeEntry | None = None, deadline: float | None = None) -> Call:
        return Call(entry or self.entry, "r", deadline, self.told.append)

    async def chat(self, entry: LemonadeEntry | None = None, **more: Any) -> Reply:
        return await self.provider.chat({"messages": MESSAGES, **more}, self.call(entry))

    async def streamed(self, **more: Any) -> str:
        """The text of a streamed chat."""
        reply = await self.chat(stream=True, **more)
        try:
            return (await reply.completion())["choices"][0]["message"]["content"]
        finally:
            await reply.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.provider.aclose()
