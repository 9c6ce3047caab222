"""A provider, an entry that leads to a played server, and the smallest requests."""

from __future__ import annotations

from typing import Any, Self

from llamafarm.providers.base import Call
from llamafarm_kit.testing.upstream import ScriptedUpstream
from llamafarm_openai_compat.config import OpenAIEntry, endpoint
from llamafarm_openai_compat.provider import OpenAIProvider

MESSAGES = [{"role": "user", "content": "Hi"}]
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "upstream-name",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    "timings": {"kept": True},
}


def entry_at(base_url: str | None, **more: Any) -> OpenAIEntry:
    return OpenAIEntry(name="fast", provider="openai", model="gpt-x", base_url=base_url, **more)


class Asking:
    """A provider and the entry that calls it. headers: those of the last answer for the client."""

    def __init__(self, upstream: ScriptedUpstream, **more: Any) -> None:
        self.entry = entry_at(upstream.base_url, **more)
        self.provider = OpenAIProvider(endpoint(self.entry))
        self.headers: dict[str, str] = {}

    def call(self, **more: Any) -> Call:
        call = Call(entry=self.entry, request_id="req-1", **more)
        self.headers = call.headers
        return call

    async def chat(self, **more: Any) -> Any:
        return await self.provider.chat({"messages": MESSAGES, "model": "fast", **more}, self.call())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.provider.aclose()
