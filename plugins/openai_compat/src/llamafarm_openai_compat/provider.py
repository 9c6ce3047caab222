"""The client of one OpenAI-compatible server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from llamafarm import Call, Content, Endpoint, Health, ModelInfo, Reply
from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError, UpstreamError
from llamafarm.http import HttpUpstream, ReadError, read_reply
from llamafarm.wire import (
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    RERANK,
    SCORE,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ChatRequest,
    ClassifyRequest,
    ClassifyResponse,
    CompletionRequest,
    EmbeddingRequest,
    EmbeddingResponse,
    ImageEditRequest,
    ImageRequest,
    ImageVariationRequest,
    NerRequest,
    NerResponse,
    Operation,
    RerankRequest,
    RerankResponse,
    ScoreRequest,
    ScoreResponse,
    SpeechRequest,
    TranscriptionRequest,
    TranslationRequest,
    Unparsed,
)
from llamafarm.wire import read_error as read_envelope

from llamafarm_openai_compat.answers import are_vectors, wrong_with
from llamafarm_openai_compat.content import content_of
from llamafarm_openai_compat.errors import missing_key, read_error
from llamafarm_openai_compat.models import model_info
from llamafarm_openai_compat.profile import Rows
from llamafarm_openai_compat.profiles import profile_at
from llamafarm_openai_compat.recognition import Recognition, listing
from llamafarm_openai_compat.request import fitted

HEALTH_SECONDS = 5.0
Answered = TypeVar("Answered")
Ask = Callable[[Operation, Mapping[str, Any], Call, str], Awaitable[Answered]]
_KEY_HEADERS = frozenset({"authorization", "x-api-key"})


class OpenAIProvider:
    """Sends each request with the entry's model in the place of the name that the client used, and as its server's
    profile says.

    Plugins for servers that speak this wire build on `ask`, `ask_vectors`, `ask_value` and `ask_content`, which send a
    request as it is. read_error, streams_close: as for HttpUpstream.
    """

    def __init__(self, endpoint: Endpoint, read_error: ReadError = read_error, *, streams_close: bool = False) -> None:
        self.endpoint = endpoint
        self.upstream = HttpUpstream(endpoint, read_error, streams_close=streams_close)
        self.recognition = Recognition(endpoint, self.upstream)
        self._variable = _missing(endpoint)

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        return await self._reply(CHAT, request, call)

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        return await self._reply(COMPLETIONS, request, call)

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse | Unparsed:
        """Ask for embeddings, which may come as their bytes alone. Raises ProviderError."""
        return await self._asked(self._vectors, EMBEDDINGS, request, call)

    async def rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        """Ask for documents in the order in which they fit a query. Raises ProviderError."""
        return cast("RerankResponse", await self._value(RERANK, request, call))

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """Ask how well texts fit each other. Raises ProviderError."""
        return cast("ScoreResponse", await self._value(SCORE, request, call))

    async def classify(self, request: ClassifyRequest, call: Call) -> ClassifyResponse:
        """Ask for the classes of texts. Raises ProviderError."""
        return cast("ClassifyResponse", await self._value(CLASSIFY, request, call))

    async def find_entities(self, request: NerRequest, call: Call) -> NerResponse:
        """Ask for the names in texts. Raises ProviderError."""
        return cast("NerResponse", await self._value(NER, request, call))

    async def generate_image(self, request: ImageRequest, call: Call) -> Content:
        """Ask for pictures. Raises ProviderError."""
        return await self._content(IMAGES, request, call)

    async def edit_image(self, request: ImageEditRequest, call: Call) -> Content:
        """Ask for changed pictures. Raises ProviderError."""
        return await self._content(IMAGE_EDITS, request, call)

    async def vary_image(self, request: ImageVariationRequest, call: Call) -> Content:
        """Ask for pictures like another one. Raises ProviderError."""
        return await self._content(IMAGE_VARIATIONS, request, call)

    async def transcribe(self, request: TranscriptionRequest, call: Call) -> Content:
        """Ask for a recording as text. Raises ProviderError."""
        return await self._content(TRANSCRIPTIONS, request, call)

    async def translate(self, request: TranslationRequest, call: Call) -> Content:
        """Ask for a recording as English text. Raises ProviderError."""
        return await self._content(TRANSLATIONS, request, call)

    async def speak(self, request: SpeechRequest, call: Call) -> Content:
        """Ask for a text as sound. Raises ProviderError."""
        return await self._content(SPEECH, request, call)

    async def ask(self, operation: Operation, request: Mapping[str, Any], call: Call, model: str) -> Reply:
        """Ask `model` for an operation that answers with a text, streamed or not. Raises ProviderError."""
        self._check_key()
        stream = bool(request.get("stream"))
        body = {**request, "model": model}
        answer = await self.upstream.open_stream(operation.path, body, call, stream=stream)
        return await read_reply(self.upstream, answer, usage=_wants_usage(request))

    async def ask_vectors(self, request: EmbeddingRequest, call: Call, model: str) -> EmbeddingResponse | Unparsed:
        """Ask `model` for embeddings: as many as there are inputs. Raises ProviderError.

        Vectors that are in the format that was asked for come as their bytes alone: most callers pass them on.
        """
        self._check_key()
        body = {**request, "model": model}
        async with await self.upstream.open_stream(EMBEDDINGS.path, body, call, stream=False) as answer:
            content = await answer.content()
            if are_vectors(request, content):
                return Unparsed(content)
            value = answer.parsed_object(content)
        return cast("EmbeddingResponse", self._checked(EMBEDDINGS, request, value, model))

    async def ask_value(
        self, operation: Operation, request: Mapping[str, Any], call: Call, model: str
    ) -> dict[str, Any]:
        """Ask `model` for an operation that answers with a value: embeddings, rerank, score, classes, entities.

        Raises ProviderError, also where there are not as many results as were asked for.
        """
        self._check_key()
        answer = await self.upstream.post_json(operation.path, {**request, "model": model}, call)
        return self._checked(operation, request, answer, model)

    def _checked(
        self, operation: Operation, request: Mapping[str, Any], answer: dict[str, Any], model: str
    ) -> dict[str, Any]:
        if read_envelope(answer):
            at = "" if "://" in operation.path else self.endpoint.address
            raise self.upstream.in_band(at + operation.path, answer)
        if wrong := wrong_with(operation, request, answer):
            named = self.endpoint.named(model)
            raise UpstreamError(
                f"{named} at {self.endpoint.address} answered with {wrong}.", provider=self.endpoint.provider
            )
        return answer

    async def ask_content(self, operation: Operation, request: Mapping[str, Any], call: Call, model: str) -> Content:
        """Ask `model` for an operation whose answer passes through: pictures, sound, and what was heard.

        Raises ProviderError, also for an answer of a type that cannot be one.
        """
        self._check_key()
        body = {**request, "model": model}
        answer = await self.upstream.open_stream(operation.path, body, call, form=operation.is_form)
        return await content_of(self.upstream, answer, operation)

    async def describe(self, model: str) -> ModelInfo:
        """What the server's list says of `model`. Raises ModelNotFound where the list does not hold it."""
        for info in await self.list_models():
            if info.id == model:
                return info
        raise ModelNotFound(
            f"{self.endpoint.address} does not list the model {model!r}.", provider=self.endpoint.provider
        )

    async def list_models(self) -> list[ModelInfo]:
        """The models that the server lists. Raises ProviderError."""
        self._check_key()
        rows, server = await listing(self.upstream)
        profile = self.recognition.learn(rows, server)
        richer = await self._richer(profile.models) if profile.models else None
        return [model_info(row, profile.structured.mode) for row in richer or rows]

    async def health(self) -> Health:
        """Whether the server says so within HEALTH_SECONDS: by its list of models, or by a path for its health."""
        begun = time.monotonic()
        try:
            self._check_key()
            await self._look()
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        return Health(ok=True, latency=time.monotonic() - begun)

    async def aclose(self) -> None:
        """Close all connections; calling twice does nothing."""
        await self.recognition.aclose()
        await self.upstream.aclose()

    async def _reply(self, operation: Operation, request: Any, call: Call) -> Reply:
        return await self._asked(self.ask, operation, request, call)

    async def _vectors(
        self, _: Operation, request: Mapping[str, Any], call: Call, model: str
    ) -> EmbeddingResponse | Unparsed:
        return await self.ask_vectors(cast("EmbeddingRequest", request), call, model)

    async def _value(self, operation: Operation, request: Any, call: Call) -> dict[str, Any]:
        return await self._asked(self.ask_value, operation, request, call)

    async def _content(self, operation: Operation, request: Any, call: Call) -> Content:
        return await self._asked(self.ask_content, operation, request, call)

    async def _asked(
        self, ask: Ask[Answered], operation: Operation, request: Mapping[str, Any], call: Call
    ) -> Answered:
        """Ask with the request as the server's profile takes it. Raises InvalidRequest, and ProviderError."""
        profile = await self.recognition.profile(request, operation, call)
        body = fitted(request, operation, profile, call.headers, self.endpoint.provider)
        if operation.name in profile.at_root:
            operation = replace(operation, path=self._root() + operation.path)
        try:
            return await ask(operation, body, call, call.entry.model)
        except ConnectionFailed:
            self.recognition.forget()
            raise

    async def _richer(self, path: str) -> Rows | None:
        """A list that says more than the wire's; None where the server does not have it."""
        try:
            return (await listing(self.upstream, self._root() + path))[0]
        except ProviderError:
            return None

    async def _look(self) -> None:
        """Ask for a sign of life. A server that answers, but has no list of models, may have a path for its health."""
        known = self.recognition.known
        if known is not None and known.health is not None:
            await self._alive(known.health)
            return
        try:
            rows, server = await listing(self.upstream, within=HEALTH_SECONDS)
            self.recognition.learn(rows, server)
        except (UpstreamError, ModelNotFound) as error:  # a 404 of "/models" is about a model to those who read words
            try:
                await self._alive("/health")
            except ProviderError:
                raise error from None

    async def _alive(self, path: str) -> None:
        async with await self.upstream.get(self._root() + path, within=HEALTH_SECONDS) as answer:
            if answer.content_type == "text/html":
                raise answer.broken("is a web page")

    def _root(self) -> str:
        return self.endpoint.address.removesuffix("/v1")

    def _check_key(self) -> None:
        """Raise where a service that wants a key would get none."""
        if self._variable is not None:
            raise missing_key(self.endpoint.provider, self.endpoint.address, self._variable)


def _missing(endpoint: Endpoint) -> str | None:
    """The variable that would hold the key that a service wants and does not get; None where nothing is missing."""
    at = profile_at(endpoint.base_url)
    given = bool(endpoint.api_key) or not _KEY_HEADERS.isdisjoint(name.lower() for name, _ in endpoint.headers)
    return at.key if at is not None and not given else None


def _wants_usage(request: Mapping[str, Any]) -> bool:
    return bool((request.get("stream_options") or {}).get("include_usage"))
