"""The client of one Ollama server."""

from __future__ import annotations

import asyncio
import base64
import struct
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError
from llamafarm.providers.answer import Answer
from llamafarm.providers.base import Call, Endpoint, Health, ModelInfo, Progress, Reply, ignore_progress
from llamafarm.providers.chunks import ChunkReply
from llamafarm.providers.entry import ModelEntry
from llamafarm.providers.http import HttpUpstream
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.completion import CompletionRequest
from llamafarm.wire.embedding import Embedding, EmbeddingRequest, EmbeddingResponse

from llamafarm_ollama.chunks import ChatShape, Shape, TextShape, chunks_of
from llamafarm_ollama.config import OllamaEntry
from llamafarm_ollama.errors import not_running, read_error, to_pull
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
            vectors, wanted = said.get("embeddings"), len(body["input"])
            if not isinstance(vectors, list) or len(vectors) != wanted:
                came = len(vectors) if isinstance(vectors, list) else "no"
                raise answer.broken(f"holds {came} embeddings for {wanted} texts")
        return _vectors(vectors, said, call.entry.model, request.get("encoding_format") == "base64")

    async def describe(self, model: str) -> ModelInfo:
        """What the server says of a model. Raises ModelNotFound."""
        shown = await self._show(model)
        tags, running = await self._lists()
        name = whole_name(model)
        return info(model, tags.get(name), shown, running.get(name))

    async def list_models(self) -> list[ModelInfo]:
        """The models that the server has, each with its capabilities. Raises ProviderError."""
        tags, running = await self._lists()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> ModelInfo:
            async with gate:
                try:
                    shown = await self._show(name)
                except ProviderError:  # gone since, or damaged: what the list says of it is true all the same
                    shown = None
            return info(name, tags[name], shown, running.get(name))

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
            return Health(ok=False, detail=f"{self.endpoint.base_url} answers, but not as Ollama does.")
        return Health(ok=True, version=version, latency=time.monotonic() - begun)

    async def pull(self, name: str, progress: Callable[[Progress], None] = ignore_progress) -> None:
        """Have the server get a model; a pull that was cut off goes on where it was. Raises ProviderError.

        progress: told with each line, in bytes. Cancelling it stops the server's work; what has come stays.
        """
        pull = Pull(name)
        body = {"model": name, "stream": True}
        async with await self._open("/api/pull", body, self._own(name), between=PULL_SILENCE) as answer:
            async for line in lines(answer):
                if line.get("error"):
                    raise self.upstream.in_band(answer.url, line)
                progress(pull.read(line))
            if not pull.complete:
                raise answer.broken(f"broke off before {name} was complete")

    async def remove(self, name: str) -> None:
        """Delete a model from the server. Raises ModelNotFound, and ProviderError."""
        async with await self._open("/api/delete", {"model": name}, self._own(name, ABOUT_SECONDS), method="DELETE"):
            pass

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
            error.hint = to_pull(call.entry.model)
            raise

    async def _show(self, model: str) -> dict[str, Any]:
        async with await self._open("/api/show", {"model": model}, self._own(model, ABOUT_SECONDS)) as answer:
            return await answer.json()

    async def _lists(self) -> tuple[dict[str, Item], dict[str, Item]]:
        """The models that are there, and those that are loaded, by their names."""
        try:
            tags = await self.upstream.get_json("/api/tags")
            return by_name(tags), by_name(await self.upstream.get_json("/api/ps"))
        except ConnectionFailed as error:
            raise not_running(error) from error.__cause__

    def _own(self, model: str, within: float | None = None) -> Call:
        """A call of our own, that no model entry asks for; within: seconds."""
        entry = ModelEntry(name=model, provider=self.endpoint.provider, model=model)
        deadline = asyncio.get_running_loop().time() + within if within is not None else None
        return Call(entry, uuid.uuid4().hex, deadline)


def _vectors(vectors: list[Any], said: Mapping[str, Any], model: str, packed: bool) -> EmbeddingResponse:
    rows: list[Embedding] = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if packed else vector}
        for at, vector in enumerate(vectors)
    ]
    tokens = said.get("prompt_eval_count", 0)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return cast("EmbeddingResponse", {"object": "list", "model": model, "data": rows, "usage": usage})


def _packed(vector: list[float]) -> str:
    """A vector as base64 of its float32, little-endian."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
