"""The client of one OpenAI-compatible server."""

from __future__ import annotations

import time
from typing import Any, cast

from llamafarm.errors import LlamaFarmError, ModelNotFound, UpstreamError
from llamafarm.providers.base import Call, Endpoint, Health, ModelInfo, Reply
from llamafarm.providers.http import HttpUpstream
from llamafarm.providers.refusal import ReadError
from llamafarm.providers.reply import read_reply
from llamafarm.wire.chat import ChatRequest
from llamafarm.wire.completion import CompletionRequest
from llamafarm.wire.embedding import EmbeddingRequest, EmbeddingResponse
from llamafarm.wire.envelope import read_error as read_envelope
from llamafarm.wire.operations import CHAT, COMPLETIONS, EMBEDDINGS, Operation

from llamafarm_openai_compat.config import OPENAI
from llamafarm_openai_compat.errors import missing_key, read_error

HEALTH_SECONDS = 5.0
_CONTEXT_FIELDS = ("max_model_len", "context_length", "max_context_length", "context_window")


class OpenAIProvider:
    """Sends each request as it is, with the entry's model in the place of the name that the client used."""

    def __init__(self, endpoint: Endpoint, read_error: ReadError = read_error, *, streams_close: bool = False) -> None:
        self.endpoint = endpoint
        self.upstream = HttpUpstream(endpoint, read_error, streams_close=streams_close)

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        return await self.ask(CHAT, cast("dict[str, Any]", request), call, call.entry.model)

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        return await self.ask(COMPLETIONS, cast("dict[str, Any]", request), call, call.entry.model)

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse:
        """Ask for embeddings. Raises ProviderError."""
        return await self.ask_vectors(request, call, call.entry.model)

    async def ask(self, operation: Operation, request: dict[str, Any], call: Call, model: str) -> Reply:
        """Ask `model` for an operation that may stream. For providers that build on this one."""
        self._check_key()
        stream = bool(request.get("stream"))
        body = {**request, "model": model}
        answer = await self.upstream.open_stream(operation.path, body, call, stream=stream)
        return await read_reply(self.upstream, answer, usage=_wants_usage(request))

    async def ask_vectors(self, request: EmbeddingRequest, call: Call, model: str) -> EmbeddingResponse:
        """Ask `model` for embeddings: as many as there are inputs. For providers that build on this one."""
        self._check_key()
        answer = await self.upstream.post_json(EMBEDDINGS.path, {**request, "model": model}, call)
        if read_envelope(answer):
            raise self.upstream.in_band(self.endpoint.base_url + EMBEDDINGS.path, answer)
        vectors = answer.get("data")
        wanted, came = _count(request), len(vectors) if isinstance(vectors, list) else 0
        if came != wanted:
            raise UpstreamError(
                f"{self.endpoint.base_url} answered with {came} embeddings for {wanted} inputs.",
                provider=self.endpoint.provider,
            )
        return cast("EmbeddingResponse", answer)

    async def describe(self, model: str) -> ModelInfo:
        """What the server's list says of `model`. Raises ModelNotFound where the list does not hold it."""
        models = await self.list_models()
        for info in models:
            if info.id == model:
                return info
        raise ModelNotFound(
            f"{self.endpoint.base_url} does not list the model {model!r}.", provider=self.endpoint.provider
        )

    async def list_models(self) -> list[ModelInfo]:
        """The models that the server lists. Raises ProviderError."""
        self._check_key()
        body = await self.upstream.get_json("/models")
        items = body.get("data")
        return [_info(item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def health(self) -> Health:
        """Whether the server lists its models within HEALTH_SECONDS."""
        begun = time.monotonic()
        try:
            self._check_key()
            await self.upstream.get_json("/models", within=HEALTH_SECONDS)
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        return Health(ok=True, latency=time.monotonic() - begun)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.upstream.aclose()

    def _check_key(self) -> None:
        own = {name.lower() for name, _ in self.endpoint.headers}
        if self.endpoint.base_url == OPENAI and not self.endpoint.api_key and "authorization" not in own:
            raise missing_key(self.endpoint.provider)


def _count(request: EmbeddingRequest) -> int:
    """How many texts the request holds: a text, and a list of token ids, are one."""
    inputs = request["input"]
    return 1 if isinstance(inputs, str) or (inputs and isinstance(inputs[0], int)) else len(inputs)


def _wants_usage(request: dict[str, Any]) -> bool:
    return bool((request.get("stream_options") or {}).get("include_usage"))


def _info(item: dict[str, Any]) -> ModelInfo:
    lengths = [item[name] for name in _CONTEXT_FIELDS if isinstance(item.get(name), int)]
    return ModelInfo(id=str(item.get("id")), context_length=lengths[0] if lengths else None, details=item)
