"""The client of one Universal Runtime: an OpenAI-compatible server that loads models with settings."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError
from llamafarm.providers.answer import Answer
from llamafarm.providers.base import Call, Endpoint, Health, ModelInfo, Progress, Reply
from llamafarm.services.state import token_of
from llamafarm.wire import sse
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.completion import CompletionRequest
from llamafarm.wire.embedding import EmbeddingRequest, EmbeddingResponse
from llamafarm.wire.operations import CHAT, COMPLETIONS, Operation
from llamafarm_openai_compat.provider import OpenAIProvider

from llamafarm_universal.batches import joined, parts
from llamafarm_universal.config import API_PATH, UniversalEntry, place
from llamafarm_universal.service import service_name

TOKEN_HEADER = "X-LF-Service-Token"  # noqa: S105 - the header's name
HEALTH_SECONDS = 5.0
LOAD_SILENCE = 600.0
"""Seconds that the runtime may say nothing while it loads; it sends comments while it works."""
NOT_LOADED = "model_not_loaded"

Answered = TypeVar("Answered")


class UniversalProvider:
    """Loads each entry's model with the entry's settings before its first request, and again when it is gone."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = OpenAIProvider(endpoint)
        self._root = endpoint.base_url.removesuffix(API_PATH)
        self._handles: dict[tuple[str, str], str] = {}

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        return await self._ask(CHAT, cast("dict[str, Any]", request), call)

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        return await self._ask(COMPLETIONS, cast("dict[str, Any]", request), call)

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse:
        """Ask for embeddings, of at most the entry's `batch_size` texts at a time. Raises ProviderError."""
        size = cast("UniversalEntry", call.entry).transformers.batch_size
        answers = [
            await self._with_model(call, partial(self._client.ask_vectors, part, call)) for part in parts(request, size)
        ]
        return joined(answers)

    async def describe(self, model: str) -> ModelInfo:
        """What the runtime says of a model that it has loaded. Raises ModelNotFound for others."""
        for info in await self.list_models():
            if model in (info.id, info.details.get("model")):
                return info
        raise ModelNotFound(
            f"The Universal Runtime at {self._root} has not loaded {model!r}.",
            provider=self.endpoint.provider,
            hint="It is loaded on its first use.",
        )

    async def list_models(self) -> list[ModelInfo]:
        """The models that the runtime has loaded, or has been told of. Raises ProviderError."""
        body = await self._client.upstream.get_json("/models")
        items = body.get("data")
        return [_info(item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def health(self) -> Health:
        """Whether the runtime answers and its engine host is not broken."""
        begun = time.monotonic()
        try:
            body = await self._client.upstream.get_json(f"{self._root}/health", within=HEALTH_SECONDS)
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        failed = body.get("host") == "failed"
        detail = str(body.get("cause") or "the engine host has failed") if failed else str(body.get("host", ""))
        said = body.get("version")
        return Health(not failed, detail, str(said) if said else None, time.monotonic() - begun)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(self, operation: Operation, request: dict[str, Any], call: Call) -> Reply:
        return await self._with_model(call, lambda handle: self._client.ask(operation, request, call, handle))

    async def _with_model(self, call: Call, ask: Callable[[str], Awaitable[Answered]]) -> Answered:
        """Ask with the handle of the entry's model. A runtime that was started again loads it again, once."""
        entry = cast("UniversalEntry", call.entry)
        key = (entry.model_id, json.dumps(entry.transformers.settings(), sort_keys=True))
        known = self._handles.get(key)
        try:
            if known is not None:
                return await ask(known)
        except ConnectionFailed:
            self._handles.clear()
            raise
        except ProviderError as error:
            if error.code != NOT_LOADED:
                raise
        self._handles[key] = handle = await self._load(entry, call)
        return await ask(handle)

    async def _load(self, entry: UniversalEntry, call: Call) -> str:
        """Have the model loaded, passing on what the runtime tells, and return its handle. Raises ProviderError."""
        body = {"id": entry.model_id, "settings": entry.transformers.settings(), "stream": True}
        token = token_of(service_name(place(self._root)[1]), self._root)
        headers = {TOKEN_HEADER: token} if token else {}
        upstream = self._client.upstream
        async with await upstream.open_stream(
            "/models/load", body, call, headers=headers, between=LOAD_SILENCE
        ) as answer:
            async for event in sse.events(answer):
                handle = self._read_load_event(event, answer, call)
                if handle is not None:
                    return handle
            raise answer.broken("broke off while the model was being loaded")

    def _read_load_event(self, event: sse.Event, answer: Answer, call: Call) -> str | None:
        """Pass on progress; return the handle of a model that is loaded. Raises the error that an event tells."""
        try:
            said = json.loads(event.data)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise answer.broken(f"holds an event that is not a JSON object: {event.data[:200]}")
        if event.name == "progress":
            call.progress(_progress(said))
            return None
        if event.name == "loaded" and isinstance(said.get("model"), str):
            call.progress(Progress("ready", f"{said.get('id')} is loaded on {said.get('device')}"))
            return str(said["model"])
        if event.name == "error" or "error" in said:
            raise self._client.upstream.in_band(answer.url, said)
        return None


def _progress(said: dict[str, Any]) -> Progress:
    stage = "downloading" if said.get("stage") == "downloading" else "loading"
    numbers = [said.get(name) if isinstance(said.get(name), int) else None for name in ("done", "total")]
    return Progress(cast("Any", stage), str(said.get("text") or stage), *numbers)


def _info(item: dict[str, Any]) -> ModelInfo:
    features = item.get("features")
    length, size = item.get("context_length"), item.get("memory_bytes")
    return ModelInfo(
        id=str(item.get("id")),
        features=frozenset(map(str, features)) if isinstance(features, list) else None,
        context_length=length if isinstance(length, int) else None,
        size_bytes=size if isinstance(size, int) else None,
        loaded=bool(item["loaded"]) if "loaded" in item else None,
        details=item,
    )
