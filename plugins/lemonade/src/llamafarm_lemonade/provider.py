"""The client of one Lemonade server: an OpenAI-compatible server that downloads and loads models."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from llamafarm import Call, Content, Endpoint, Health, ModelInfo, Reply
from llamafarm.errors import ConnectionBroken, ConnectionFailed, InvalidRequest, LlamaFarmError
from llamafarm.wire import (
    CHAT,
    COMPLETIONS,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    RERANK,
    SPEECH,
    TRANSCRIPTIONS,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    EmbeddingResponse,
    ImageEditRequest,
    ImageRequest,
    ImageVariationRequest,
    Operation,
    RerankRequest,
    RerankResponse,
    SpeechRequest,
    TranscriptionRequest,
    Unparsed,
)

from llamafarm_lemonade.client import LemonadeClient
from llamafarm_lemonade.config import LemonadeEntry
from llamafarm_lemonade.loading import Loading, model_path
from llamafarm_lemonade.models import model_info, model_rows

HEALTH_SECONDS = 5.0

Answered = TypeVar("Answered")


class LemonadeProvider:
    """Has each entry's model loaded with the entry's settings when it is its turn."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = LemonadeClient(endpoint)
        self.loading = Loading(self._client.upstream)

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        body = _with_context(cast("dict[str, Any]", request), call)
        return await self._prepared(call, lambda: self._client.ask(CHAT, body, call, call.entry.model))

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        body = cast("dict[str, Any]", request)
        return await self._prepared(call, lambda: self._client.ask(COMPLETIONS, body, call, call.entry.model))

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse | Unparsed:
        """Ask for embeddings. Raises ProviderError."""
        return await self._prepared(call, lambda: self._client.ask_vectors(request, call, call.entry.model))

    async def rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        """Ask for documents in the order in which they fit a query; the server leaves them as they were asked."""
        body = _with_context(cast("dict[str, Any]", request), call)
        answer = await self._prepared(call, lambda: self._client.ask_value(RERANK, body, call, call.entry.model))
        answer["results"].sort(key=lambda row: row["relevance_score"], reverse=True)
        return cast("RerankResponse", answer)

    async def generate_image(self, request: ImageRequest, call: Call) -> Content:
        """Ask for a picture. Raises ProviderError."""
        return await self._content(IMAGES, request, call)

    async def edit_image(self, request: ImageEditRequest, call: Call) -> Content:
        """Ask for one picture, changed. Raises InvalidRequest where several are given, and ProviderError."""
        if isinstance(request["image"], list) and len(request["image"]) > 1:
            message = f"Lemonade changes one picture at a time; {len(request['image'])} were given."
            raise InvalidRequest(message, provider=self.endpoint.provider, param="image")
        return await self._content(IMAGE_EDITS, request, call)

    async def vary_image(self, request: ImageVariationRequest, call: Call) -> Content:
        """Ask for pictures like another one. Raises ProviderError."""
        return await self._content(IMAGE_VARIATIONS, request, call)

    async def transcribe(self, request: TranscriptionRequest, call: Call) -> Content:
        """Ask for a recording as text. Raises ProviderError."""
        return await self._content(TRANSCRIPTIONS, request, call)

    async def speak(self, request: SpeechRequest, call: Call) -> Content:
        """Ask for a text as sound. Raises ProviderError."""
        return await self._content(SPEECH, request, call)

    async def pull(self, call: Call) -> None:
        """Have the server download the entry's model; one that was cut off goes on where it was.

        Cancelling closes the connection, which ends the server's work; what has come stays there. Raises ProviderError.
        """
        await self.loading.pull(call)

    async def remove(self, call: Call) -> None:
        """Have the server delete the entry's model. Raises ModelNotFound, and ProviderError."""
        await self.loading.remove(call)

    async def describe(self, model: str) -> ModelInfo:
        """What the server says of a model, downloaded or not. Raises ModelNotFound, and ProviderError."""
        row = await self._client.upstream.get_json(model_path(model))
        return model_info(row, await self._health())

    async def list_models(self) -> list[ModelInfo]:
        """The models that the server has downloaded. Raises ProviderError."""
        rows = model_rows(await self._client.upstream.get_json("/models"))
        health = await self._health()
        return [model_info(row, health) for row in rows]

    async def health(self) -> Health:
        """Whether the server answers, and which model it used last."""
        begun = time.monotonic()
        try:
            body = await self._health(within=HEALTH_SECONDS)
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        if "model_loaded" not in body:
            return Health(ok=False, detail=f"{self.endpoint.address} answers, but not as a Lemonade server does.")
        said, model = body.get("version"), body.get("model_loaded")
        detail = f"{model} is loaded" if model else "no model is loaded"
        return Health(body.get("status") == "ok", detail, str(said) if said else None, time.monotonic() - begun)

    async def stats(self) -> dict[str, Any]:
        """The tokens and speeds of the last request, in the server's words. Raises ProviderError."""
        return await self._client.upstream.get_json("/stats")

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        await self._client.aclose()

    async def _health(self, within: float = 10.0) -> dict[str, Any]:
        return await self._client.upstream.get_json("/health", within=within)

    async def _content(self, operation: Operation, request: Any, call: Call) -> Content:
        return await self._prepared(call, lambda: self._client.ask_content(operation, request, call, call.entry.model))

    async def _prepared(self, call: Call, ask: Callable[[], Awaitable[Answered]]) -> Answered:
        """Ask with the entry's model loaded. After a server that is gone everything is loaded again."""
        try:
            await self.loading.prepare(call)
            return await ask()
        except (ConnectionFailed, ConnectionBroken):
            self.loading.forget()
            raise


def _with_context(request: dict[str, Any], call: Call) -> dict[str, Any]:
    """The request with the entry's context size, which counts where the server must load the model for it again."""
    size = cast("LemonadeEntry", call.entry).lemonade.context_size
    return request if size is None else {"ctx_size": size, **request}
