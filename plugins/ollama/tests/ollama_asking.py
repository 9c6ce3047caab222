"""A provider of a test, and the fake server that it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from llamafarm import CHAT, COMPLETIONS, EMBEDDINGS, Call, Operation, Progress
from llamafarm_kit.testing import Exchange, Script, ScriptedUpstream
from llamafarm_ollama.config import OllamaEntry, endpoint
from llamafarm_ollama.parameters import PARAMETERS
from llamafarm_ollama.provider import OllamaProvider

RECORDINGS = Path(__file__).parent / "recordings"
HELLO = [{"role": "user", "content": "Hello"}]
LAMP = {"type": "function", "function": {"name": "set_lamp", "parameters": {"type": "object", "properties": {}}}}


def recorded(name: str) -> Exchange:
    """A recording, for whatever is asked."""
    found = Exchange.load(RECORDINGS / f"{name}.json")
    return Exchange(None, None, found.status, found.headers, found.pieces)


class Asking:
    """The provider, its model entry, and the server that counts what it is asked."""

    def __init__(self, upstream: ScriptedUpstream, **fields: Any) -> None:
        address = f"http://127.0.0.1:{upstream.port}"
        self.upstream = upstream
        self.entry = OllamaEntry(
            **{"name": "local", "provider": "ollama", "model": "tiny", "base_url": address, **fields}
        )
        self.provider = OllamaProvider(endpoint(self.entry))
        self.told: list[Progress] = []
        self.call = Call(self.entry, "request-1", progress=self.told.append)

    @property
    def sent(self) -> Any:
        """The last request's body."""
        return self.upstream.requests[-1].body

    async def chat(self, messages: Any = None, **fields: Any) -> Any:
        """The whole answer of a chat."""
        reply = await self._ask(CHAT, {"messages": messages or HELLO, **fields})
        return await reply.completion()

    async def chunks(self, **fields: Any) -> list[Any]:
        """The chunks of a streamed chat."""
        reply = await self._ask(CHAT, {"messages": HELLO, "stream": True, **fields})
        return [chunk async for chunk in reply.chunks()]

    async def complete(self, **fields: Any) -> Any:
        """The whole answer of a completion."""
        return await (await self._ask(COMPLETIONS, fields)).completion()

    async def embed(self, inputs: Any, **fields: Any) -> Any:
        """The vectors of texts."""
        return await self._ask(EMBEDDINGS, {"input": inputs, **fields})

    async def _ask(self, operation: Operation, fields: dict[str, Any]) -> Any:
        """As the gateway asks: with the provider's parameters applied."""
        request, _ = PARAMETERS.apply(fields, operation, self.entry.provider)
        return await getattr(self.provider, operation.method)(request, self.call)


@asynccontextmanager
async def asking(*scripts: Script, **fields: Any) -> AsyncIterator[Asking]:
    """A provider of a server that plays these scripts. fields: of the model entry."""
    async with ScriptedUpstream(*scripts) as upstream:
        found = Asking(upstream, **fields)
        try:
            yield found
        finally:
            await found.provider.aclose()
