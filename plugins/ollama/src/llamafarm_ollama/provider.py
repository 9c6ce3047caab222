"""The client of one Ollama server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from llamafarm import Call, ChunkReply, Endpoint, Health, ModelEntry, ModelInfo, Reply
from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError, UpstreamError
from llamafarm.http import Answer, HttpUpstream
from llamafarm.wire import ChatRequest, CompletionRequest, EmbeddingRequest, EmbeddingResponse

from llamafarm_ollama.chunks import ChatShape, Shape, TextShape, chunks_of
from llamafarm_ollama.config import OllamaEntry
from llamafarm_ollama.embeddings import response, vectors_of
from llamafarm_ollama.errors import not_in_registry, not_running, read_error, to_pull
from llamafarm_ollama.models import Item, by_name, info, whole_name
from llamafarm_ollama.ndjson import lines
from llamafarm_ollama.pull import Pull
from llamafarm_ollama.request import chat_request, embed_request, generate_request

HEALTH_SECONDS = 5.0
ABOUT_SECONDS = 15.0
"""How long a question about a model may take."""
PULL_SILENCE = 1800.0
"""Seconds that a pull may say nothing: large layers are checked without a word."""
AT_ONCE = 8
"""How many models are asked about at a time."""


class OllamaProvider:
    """Speaks Ollama's own API. Models are loaded by the server on their first request."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.upstream = HttpUpstream(endpoint, read_error)

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        body = chat_request(request, cast("OllamaEntry", call.entry))
        return await self._reply("/api/chat", body, request, call, ChatShape(call.entry.model))

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text, without a template around it. Raises ProviderError."""
        body = generate_request(request, cast("OllamaEntry", call.entry))
        return await self._reply("/api/generate", body, request, call, TextShape(call.entry.model))

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse:
        """Ask for embeddings: one for each text, of length 1. Raises ProviderError."""
        body = embed_request(request, cast("OllamaEntry", call.entry))
        async with await self._open("/api/embed", body, call) as answer:
            said = await answer.json()
            vectors = vectors_of(said, len(body["input"]), answer)
        return response(vectors, said, call.entry.model, packed=request.get("encoding_format") == "base64")

    async def describe(self, model: str) -> ModelInfo:
        """What the server says of a model. Raises ModelNotFound."""
        shown = await self._show(model)
        tags, running = await self._listed(), await self._running()
        name = whole_name(model)
        return info(model, tags.get(name), shown, None if running is None else running.get(name, {}))

    async def list_models(self) -> list[ModelInfo]:
        """The models that the server has, each with its capabilities. Raises ProviderError."""
        tags, running = await self._listed(), await self._running()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> ModelInfo:
            async with gate:
                try:
                    shown = await self._show(name)
                except ProviderError:  # gone since, or damaged: what the list says of it is true all the same
                    shown = None
            return info(name, tags[name], shown, None if running is None else running.get(name, {}))

        return list(await asyncio.gather(*map(one, tags)))

    async def health(self) -> Health:
        """Whether the server tells its version within HEALTH_SECONDS."""
        begun = time.monotonic()
        try:
            said = await self.upstream.get_json("/api/version", within=HEALTH_SECONDS)
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        version = said.get("version")
        if not isinstance(version, str):
            return Health(ok=False, detail=f"{self.endpoint.address} answers, but not as Ollama does.")
        return Health(ok=True, version=version, latency=time.monotonic() - begun)

    async def pull(self, call: Call) -> None:
        """Have the server get the model of the entry; a pull that was cut off goes on where it was.

        Cancelling it closes the connection, which ends the server's work; what has come stays there. Raises
        ModelNotFound, and ProviderError.
        """
        pull = Pull(call.entry.model)
        try:
            await self._pull(pull, call)
        except ModelNotFound as error:
            error.hint = not_in_registry(call.entry.model)
            raise

    async def remove(self, call: Call) -> None:
        """Delete the model of the entry from the server. Raises ModelNotFound, and ProviderError."""
        limited = replace(call, deadline=_earlier(call.deadline, ABOUT_SECONDS))
        try:
            body = {"model": call.entry.model}
            async with await self._open("/api/delete", body, limited, method="DELETE") as answer:
                if said := await answer.content():  # Ollama says nothing; a page comes from somebody else
                    answer.parsed_object(said)
        except ModelNotFound as error:
            error.hint = "Nothing was deleted; `ollama list` shows what is there."
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self.upstream.aclose()

    async def _reply(
        self, path: str, body: Mapping[str, Any], request: Mapping[str, Any], call: Call, shape: Shape
    ) -> Reply:
        answer = await self._open(path, body, call)
        usage = not body["stream"] or bool((request.get("stream_options") or {}).get("include_usage"))
        chunks = chunks_of(lines(answer), shape, self.upstream, answer, usage=usage)
        return await ChunkReply.begin(chunks, self.endpoint, call, close=answer.aclose)

    async def _open(self, path: str, body: Mapping[str, Any], call: Call, **how: Any) -> Answer:
        """The accepted answer; errors say what to do next in Ollama's words."""
        try:
            return await self.upstream.open_stream(path, body, call, stream=bool(body.get("stream")), **how)
        except ConnectionFailed as error:
            raise not_running(error) from error.__cause__
        except ModelNotFound as error:
            error.hint = to_pull(call.entry)
            raise

    async def _pull(self, pull: Pull, call: Call) -> None:
        body = {"model": pull.model, "stream": True}
        async with await self._open("/api/pull", body, call, between=PULL_SILENCE) as answer:
            async for line in lines(answer):
                if line.get("error"):
                    raise self.upstream.in_band(answer.url, line)
                call.progress(pull.read(line))
            if not pull.complete:
                raise answer.broken(f"broke off before {pull.model} was complete")

    async def _show(self, model: str) -> dict[str, Any]:
        async with await self._open("/api/show", {"model": model}, self._own(model)) as answer:
            return await answer.json()

    async def _listed(self) -> dict[str, Item]:
        """The models that are there, by their names."""
        try:
            return by_name(await self.upstream.get_json("/api/tags"))
        except ConnectionFailed as error:
            raise not_running(error) from error.__cause__

    async def _running(self) -> dict[str, Item] | None:
        """The models that are loaded, by their names; None where the server does not tell."""
        try:
            return by_name(await self.upstream.get_json("/api/ps"))
        except UpstreamError:
            return None

    def _own(self, model: str) -> Call:
        """A call of our own about a model, which no entry asks for."""
        entry = ModelEntry(name=model, provider=self.endpoint.provider, model=model)
        return Call(entry, uuid.uuid4().hex, _earlier(None, ABOUT_SECONDS))


def _earlier(deadline: float | None, seconds: float) -> float:
    """That deadline, or so many seconds from now, whichever is earlier."""
    then = asyncio.get_running_loop().time() + seconds
    return then if deadline is None else min(deadline, then)
