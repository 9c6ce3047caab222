"""What is known of the model that a turn is asked of, and how long texts are to any model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llamafarm.gateway.dispatch import Context, Dispatcher, Lease
from llamafarm.handlers.base import TurnModel
from llamafarm.providers.base import CountsTextTokens, CountsTokens, ModelInfo, described
from llamafarm.wire.chat import ChatRequest

KEPT_SECONDS = 60.0
"""How long what a runtime says of a model is believed."""


class KnownModel(TurnModel):
    """The model of one turn, asked about at its runtime when somebody wants to know."""

    def __init__(self, dispatcher: Dispatcher, lease: Lease, context: Context) -> None:
        super().__init__(lease.entry.model)
        self._dispatcher = dispatcher
        self._lease = lease
        self._context = context

    async def info(self) -> ModelInfo:
        """See `TurnModel`."""
        now = asyncio.get_running_loop().time()
        if self._lease.described is None or now - self._lease.described[0] > KEPT_SECONDS:
            provider, entry = self._lease.provider, self._lease.entry
            info = await self._dispatcher.call(self._lease, self._context, lambda _: described(provider, entry))
            self._lease.described = (now, info)
        return self._lease.described[1]

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """See `TurnModel`."""
        provider = self._lease.provider
        if not isinstance(provider, CountsTokens):
            return None
        asked: ChatRequest = {**request, "model": self._lease.entry.model}
        return await self._dispatcher.call(self._lease, self._context, lambda call: provider.count_tokens(asked, call))


async def text_tokens(dispatcher: Dispatcher, lease: Lease, context: Context, texts: Sequence[str]) -> list[int] | None:
    """How many tokens each text is to the model of a lease; None where its provider cannot count them.

    Raises LlamaFarmError and nothing else.
    """
    provider = lease.provider
    if not isinstance(provider, CountsTextTokens):
        return None
    return await dispatcher.call(lease, context, lambda call: provider.count_text_tokens(texts, call))
