"""The client of one Universal Runtime: an OpenAI-compatible server that loads models with settings."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from llamafarm import Call, Content, Endpoint, Health, ModelInfo, Progress, Reply
from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError, UpstreamError
from llamafarm.http import Answer, host_and_port, is_loopback
from llamafarm.services import token_of
from llamafarm.wire import (
    CAPTION,
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    DEPTH,
    DETECT,
    FEATURES,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    IMAGES,
    NER,
    PICTURE_CLASSES,
    RERANK,
    SCORE,
    SEGMENT,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    ZERO_SHOT,
    CaptionRequest,
    CaptionResponse,
    ChatRequest,
    ClassifyRequest,
    ClassifyResponse,
    CompletionRequest,
    DepthRequest,
    DepthResponse,
    DetectRequest,
    DetectResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FeaturesRequest,
    FeaturesResponse,
    ImageEditRequest,
    ImageRequest,
    ImageVariationRequest,
    NerRequest,
    NerResponse,
    Operation,
    PictureClassesRequest,
    PictureClassesResponse,
    RerankRequest,
    RerankResponse,
    ScoreRequest,
    ScoreResponse,
    SegmentRequest,
    SegmentResponse,
    SpeechRequest,
    TranscriptionRequest,
    TranslationRequest,
    Unparsed,
    ZeroShotRequest,
    sse,
)
from llamafarm_openai_compat import OpenAIProvider

from llamafarm_universal.answers import info_of, progress_of, whole_number
from llamafarm_universal.batches import joined, parts
from llamafarm_universal.config import API_PATH, UniversalEntry, folder_path, is_folder
from llamafarm_universal.service import is_runtime, service_name

TOKEN_HEADER = "X-LF-Service-Token"  # noqa: S105 - the header's name
HEALTH_SECONDS = 5.0
DEADLINE_HEADER = "X-LF-Deadline"
"""Seconds that somebody waits for the answer: the runtime gives its turn to nobody who does not wait any more."""
SILENCE = 600.0
"""Seconds that the runtime may say nothing while it loads or downloads; it sends comments while it works."""
FETCHED_BY = ("revision", "trust_remote_code", "draft_model")
"""The settings that decide which files are fetched."""
COUNT_PATH = "/chat/completions/input_tokens"
PROMPT_FIELDS = ("messages", "tools", "tool_choice", "chat_template_kwargs")
"""What decides how long the prompt of a chat is."""
_NEEDED = {"loaded": "model", "pulled": "id"}
"""What the last event of each kind says at least."""
NOT_LOADED = "model_not_loaded"

Answered = TypeVar("Answered")


class UniversalProvider:
    """Loads each entry's model with the entry's settings before its first request, and again when it is gone."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = OpenAIProvider(endpoint)
        self._root = endpoint.address.removesuffix(API_PATH)
        self._handles: dict[tuple[str, str], str] = {}

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        return await self._ask(CHAT, cast("dict[str, Any]", request), call)

    async def count_tokens(self, request: ChatRequest, call: Call) -> int:
        """How many tokens the prompt of a chat has, its tools included. Raises ProviderError."""
        prompt = {name: value for name, value in request.items() if name in PROMPT_FIELDS}
        answer = await self._with_model(
            call,
            lambda handle: self._client.upstream.post_json(COUNT_PATH, {**prompt, "model": handle}, self._timed(call)),
        )
        if (tokens := whole_number(answer, "input_tokens")) is None:
            message = f"{self.endpoint.named(call.entry.model)} at {self.endpoint.address} counted no tokens."
            raise UpstreamError(message, provider=self.endpoint.provider)
        return tokens

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        return await self._ask(COMPLETIONS, cast("dict[str, Any]", request), call)

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse | Unparsed:
        """Ask for embeddings, of at most the entry's `batch_size` texts at a time. Raises ProviderError."""
        size = cast("UniversalEntry", call.entry).transformers.batch_size
        answers = [
            await self._with_model(call, partial(self._ask_vectors, part, call)) for part in parts(request, size)
        ]
        return joined(answers)

    async def rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        """Ask for documents in the order in which they fit a query, the best one first. Raises ProviderError."""
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

    async def transcribe(self, request: TranscriptionRequest, call: Call) -> Content:
        """Ask for a recording as text. Raises ProviderError."""
        return await self._content(TRANSCRIPTIONS, request, call)

    async def translate(self, request: TranslationRequest, call: Call) -> Content:
        """Ask for a recording as English text. Raises ProviderError."""
        return await self._content(TRANSLATIONS, request, call)

    async def generate_image(self, request: ImageRequest, call: Call) -> Content:
        """Ask for pictures, drawn as the request and then the entry's `diffusion` say. Raises ProviderError."""
        return await self._draw(IMAGES, request, call)

    async def edit_image(self, request: ImageEditRequest, call: Call) -> Content:
        """Ask for changed pictures, drawn likewise. Raises ProviderError."""
        return await self._draw(IMAGE_EDITS, request, call)

    async def vary_image(self, request: ImageVariationRequest, call: Call) -> Content:
        """Ask for pictures like another one, drawn likewise. Raises ProviderError."""
        return await self._draw(IMAGE_VARIATIONS, request, call)

    async def classify_pictures(self, request: PictureClassesRequest, call: Call) -> PictureClassesResponse:
        """Ask for the classes of pictures. Raises ProviderError."""
        return cast("PictureClassesResponse", await self._value(PICTURE_CLASSES, request, call))

    async def label_pictures(self, request: ZeroShotRequest, call: Call) -> PictureClassesResponse:
        """Ask which labels of the request's own fit pictures. Raises ProviderError."""
        return cast("PictureClassesResponse", await self._value(ZERO_SHOT, request, call))

    async def embed_pictures(self, request: FeaturesRequest, call: Call) -> FeaturesResponse:
        """Ask for vectors of pictures, or of their patches. Raises ProviderError."""
        return cast("FeaturesResponse", await self._value(FEATURES, request, call))

    async def detect_objects(self, request: DetectRequest, call: Call) -> DetectResponse:
        """Ask for the objects in pictures, and where they are. Raises ProviderError."""
        return cast("DetectResponse", await self._value(DETECT, request, call))

    async def segment_pictures(self, request: SegmentRequest, call: Call) -> SegmentResponse:
        """Ask for the parts of pictures. Raises ProviderError."""
        return cast("SegmentResponse", await self._value(SEGMENT, request, call))

    async def estimate_depth(self, request: DepthRequest, call: Call) -> DepthResponse:
        """Ask how far away each pixel of pictures is. Raises ProviderError."""
        return cast("DepthResponse", await self._value(DEPTH, request, call))

    async def caption_pictures(self, request: CaptionRequest, call: Call) -> CaptionResponse:
        """Ask for pictures in words. Raises ProviderError."""
        return cast("CaptionResponse", await self._value(CAPTION, request, call))

    async def speak(self, request: SpeechRequest, call: Call) -> Content:
        """Ask for a text as sound. Raises ProviderError."""
        return await self._content(SPEECH, request, call)

    async def pull(self, call: Call) -> None:
        """Have the runtime fetch the files of the entry's model. Raises ModelNotFound, and ProviderError."""
        entry = cast("UniversalEntry", call.entry)
        settings = entry.transformers.settings()
        body = {
            "id": entry.model,
            "settings": {name: settings[name] for name in FETCHED_BY if name in settings},
            "stream": True,
        }
        told = await self._follow("/models/pull", body, call, "pulled")
        done = "has been downloaded" if told.get("fetched") else "is there already"
        call.progress(Progress("ready", f"{told.get('id')} {done}"))

    async def remove(self, call: Call) -> None:
        """Have the runtime delete the files of the entry's model. Raises ModelNotFound, and ProviderError."""
        model = cast("UniversalEntry", call.entry).model
        path, headers = f"/models/{quote(model, safe='')}", self._token()
        async with await self._client.upstream.open_stream(
            path, {}, call, method="DELETE", stream=False, headers=headers
        ) as answer:
            await answer.json()
        self._handles.clear()

    async def describe(self, model: str) -> ModelInfo:
        """What the runtime says of a model that it has loaded, or whose files it has. Raises ModelNotFound."""
        name = folder_path(model) if is_folder(model) else model
        for info in await self.list_models():
            if name in (info.id, info.details.get("model")):
                return info
        if is_folder(model):
            return self._folder(model)
        try:
            return info_of(await self._client.upstream.get_json(f"/models/{quote(model, safe='')}"))
        except ModelNotFound:
            raise self._missing(model) from None

    def _folder(self, model: str) -> ModelInfo:
        """A folder, which only a runtime of this machine reads as we do."""
        path = Path(folder_path(model))
        if not (is_loopback(self.endpoint.base_url) and path.is_dir()):
            raise self._missing(model)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return ModelInfo(model, loaded=False, downloaded=True, size_bytes=size)

    def _missing(self, model: str) -> ModelNotFound:
        return ModelNotFound(
            f"The Universal Runtime at {self.endpoint.address} has neither loaded nor downloaded {model!r}.",
            provider=self.endpoint.provider,
            hint="Its first use downloads and loads it; `lf models pull` downloads it now.",
        )

    async def list_models(self) -> list[ModelInfo]:
        """The models that the runtime has loaded, or has been told of. Raises ProviderError."""
        body = await self._client.upstream.get_json("/models")
        items = body.get("data")
        return [info_of(item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def health(self) -> Health:
        """Whether the runtime answers and its engine host is not broken."""
        begun = time.monotonic()
        try:
            body = await self._client.upstream.get_json(f"{self._root}/health", within=HEALTH_SECONDS)
        except LlamaFarmError as error:
            return Health(ok=False, detail=error.message)
        if not is_runtime(body):
            return Health(ok=False, detail=f"{self.endpoint.address} answers, but not as a Universal Runtime does.")
        failed = body.get("host") == "failed"
        detail = str(body.get("cause") or "the engine host has failed") if failed else str(body.get("host", ""))
        said = body.get("version")
        return Health(not failed, detail, str(said) if said else None, time.monotonic() - begun)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(self, operation: Operation, request: dict[str, Any], call: Call) -> Reply:
        return await self._with_model(
            call, lambda handle: self._client.ask(operation, request, self._timed(call), handle)
        )

    async def _ask_vectors(self, request: EmbeddingRequest, call: Call, handle: str) -> EmbeddingResponse | Unparsed:
        return await self._client.ask_vectors(request, self._timed(call), handle)

    async def _value(self, operation: Operation, request: Any, call: Call) -> dict[str, Any]:
        return await self._with_model(
            call, lambda handle: self._client.ask_value(operation, request, self._timed(call), handle)
        )

    async def _content(self, operation: Operation, request: Any, call: Call) -> Content:
        return await self._with_model(
            call, lambda handle: self._client.ask_content(operation, request, self._timed(call), handle)
        )

    async def _draw(self, operation: Operation, request: Any, call: Call) -> Content:
        settings = cast("UniversalEntry", call.entry).diffusion
        return await self._content(operation, settings.over(request, sized=operation is IMAGES), call)

    async def _with_model(self, call: Call, ask: Callable[[str], Awaitable[Answered]]) -> Answered:
        """Ask with the handle of the entry's model. A runtime that was started again loads it again, once."""
        entry = cast("UniversalEntry", call.entry)
        key = (entry.model, json.dumps(entry.load_settings(), sort_keys=True))
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

    def _timed(self, call: Call) -> Call:
        """The call, with a header that says for how long somebody waits for its answer."""
        limits = [self.endpoint.timeouts.total]
        if call.deadline is not None:
            limits.append(max(call.deadline - asyncio.get_running_loop().time(), 0.0))
        seconds = min((limit for limit in limits if limit is not None), default=None)
        return call if seconds is None else replace(call, trace={**call.trace, DEADLINE_HEADER: f"{seconds:.3f}"})

    async def _load(self, entry: UniversalEntry, call: Call) -> str:
        """Have the model loaded, passing on what the runtime tells, and return its handle. Raises ProviderError."""
        body = {"id": entry.model, "settings": entry.load_settings(), "stream": True}
        body |= entry.transformers.residency()
        told = await self._follow("/models/load", body, call, "loaded")
        call.progress(Progress("ready", f"{told.get('id')} is loaded on {told.get('device')}"))
        return str(told["model"])

    async def _follow(self, path: str, body: dict[str, Any], call: Call, last: str) -> dict[str, Any]:
        """Ask for what takes a while, pass on its progress, and return what its last event says.

        Raises ProviderError.
        """
        async with await self._client.upstream.open_stream(
            path, body, call, headers=self._token(), between=SILENCE
        ) as answer:
            async for event in sse.events(answer, broken=answer.broken):
                told = self._read_event(event, answer, call)
                if event.name == last and _NEEDED[last] in told:
                    return told
            raise answer.broken("broke off before it was done")

    def _token(self) -> dict[str, str]:
        token = token_of(service_name(host_and_port(self._root)[1]), self._root)
        return {TOKEN_HEADER: token} if token else {}

    def _read_event(self, event: sse.Event, answer: Answer, call: Call) -> dict[str, Any]:
        """Return what an event says; progress is passed on. Raises the error that it tells."""
        try:
            said = json.loads(event.data)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise answer.broken(f"holds an event that is not a JSON object: {event.data[:200]}")
        if event.name == "progress":
            call.progress(progress_of(said))
        elif event.name == "error" or "error" in said:
            raise self._client.upstream.in_band(answer.url, said)
        return said
