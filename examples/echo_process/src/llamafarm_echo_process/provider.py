"""The client: runs the program once for each request."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import llamafarm
from llamafarm.errors import ProviderError, ProviderTimeout
from llamafarm.wire import ChatRequest

from llamafarm_echo_process.child import Child
from llamafarm_echo_process.chunks import chunks_of
from llamafarm_echo_process.errors import error_of, unreadable

LIST_SECONDS = 10.0
"""How long the program may take to name its models."""


class EchoProvider:
    """One program. Each request is a run of its own, so any number may go on at once."""

    def __init__(self, endpoint: llamafarm.Endpoint) -> None:
        self.endpoint = endpoint
        self._command = shlex.split(endpoint.base_url)
        self._running: set[Child] = set()

    async def chat(self, request: ChatRequest, call: llamafarm.Call) -> llamafarm.Reply:
        """Ask for a chat completion. Closing the reply kills the program. Raises ProviderError."""
        child = await self._start()
        lines = child.ask(question(request, call.entry.model))
        chunks = chunks_of(lines, call.entry.model, self.endpoint.provider, usage=wants_usage(request))
        return await llamafarm.ChunkReply.begin(chunks, self.endpoint, call, close=partial(self._close, child))

    async def describe(self, model: str) -> llamafarm.ModelInfo:
        """What the program says of one model. Raises ModelNotFound."""
        models = {info.id: info for info in await self.list_models()}
        if model not in models:
            message = (
                f"The program of {self.endpoint.provider} has no model {model!r}, only {', '.join(models) or 'none'}."
            )
            raise error_of({"error": "model_not_found", "message": message}, self.endpoint.provider)
        return models[model]

    async def list_models(self) -> list[llamafarm.ModelInfo]:
        """The models that the program names. Raises ProviderError."""
        try:
            async with asyncio.timeout(LIST_SECONDS), self._answer({"ask": "models"}) as lines:
                return [self._info(line) async for line in lines if "end" not in line]
        except TimeoutError:
            raise ProviderTimeout(
                f"The program of {self.endpoint.provider} did not name its models within {LIST_SECONDS:g} s.",
                provider=self.endpoint.provider,
            ) from None

    async def health(self) -> llamafarm.Health:
        """Whether the program names its models."""
        begun = time.monotonic()
        try:
            await self.list_models()
        except ProviderError as error:
            return llamafarm.Health(ok=False, detail=error.message)
        return llamafarm.Health(ok=True, latency=time.monotonic() - begun)

    async def aclose(self) -> None:
        """End all runs that still go on."""
        await asyncio.gather(*(self._close(child) for child in list(self._running)))

    async def _start(self) -> Child:
        child = await Child.start(self._command, self.endpoint.provider)
        self._running.add(child)
        return child

    async def _close(self, child: Child) -> None:
        await child.close()
        self._running.discard(child)

    @asynccontextmanager
    async def _answer(self, question: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The lines of an answer that is read to its end, or not at all."""
        child = await self._start()
        try:
            async with aclosing(child.ask(question)) as lines:
                yield lines
        finally:
            await self._close(child)

    def _info(self, line: dict[str, Any]) -> llamafarm.ModelInfo:
        match line:
            case {"model": str(model)}:
                return llamafarm.ModelInfo(model, context_length=line.get("context_length"))
            case {"error": _}:
                raise error_of(line, self.endpoint.provider)
        raise unreadable(line, self.endpoint.provider)


def question(request: ChatRequest, model: str) -> dict[str, Any]:
    """What the program is asked: the fields that `parameters` calls mapped, in the program's words."""
    limits = [request.get("max_completion_tokens"), request.get("max_tokens")]
    stop = request.get("stop") or []
    return {
        "ask": "chat",
        "model": model,
        "messages": request["messages"],
        "max_tokens": next((limit for limit in limits if limit is not None), None),
        "stop": [stop] if isinstance(stop, str) else stop,
    }


def wants_usage(request: ChatRequest) -> bool:
    """Whether the answer tells its token counts: a whole one always, a streamed one where that is asked for."""
    return not request.get("stream") or bool((request.get("stream_options") or {}).get("include_usage"))
