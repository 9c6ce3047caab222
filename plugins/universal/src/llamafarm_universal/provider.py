"""The client of one Universal Runtime: an OpenAI-compatible server that loads models with settings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from llamafarm import Call, Content, Endpoint, Health, ModelEntry, ModelInfo, Progress, Reply
from llamafarm.errors import ConnectionFailed, LlamaFarmError, ModelNotFound, ProviderError, UpstreamError
from llamafarm.http import is_loopback
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
    SOUND_CLASSES,
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
    SoundClassesRequest,
    SoundClassesResponse,
    SpeechRequest,
    TranscriptionRequest,
    TranslationRequest,
    Unparsed,
    ZeroShotRequest,
)

from llamafarm_universal.answers import info_of, is_plain, whole_number, whole_numbers
from llamafarm_universal.batches import joined, parts, shares
from llamafarm_universal.config import UniversalEntry
from llamafarm_universal.model_names import folder_path, is_folder
from llamafarm_universal.runtime_client import NOT_LOADED, RuntimeClient
from llamafarm_universal.service import is_runtime

HEALTH_SECONDS = 5.0
FETCHED_BY = (
    "revision",
    "trust_remote_code",
    "draft_model",
    "vocoder",
    "vocoder_revision",
    "adapter",
    "adapter_revision",
)
"""The settings that decide which files are fetched."""
FILES_URL_HEADER = "X-LF-Files-URL"
"""Tells the runtime below which address a client reaches the files that it keeps."""
FILE_EXPIRED = "file_expired"
COUNT_PATH = "/chat/completions/input_tokens"
COUNT_TEXTS_PATH = "/embeddings/input_tokens"
PROMPT_FIELDS = ("messages", "tools", "tool_choice", "chat_template_kwargs")
"""What decides how long the prompt of a chat is."""


class UniversalProvider:
    """Loads each entry's model with the entry's settings before its first request, and again when it is gone."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._runtime = RuntimeClient(endpoint)

    async def chat(self, request: ChatRequest, call: Call) -> Reply:
        """Ask for a chat completion. Raises ProviderError."""
        return await self._runtime.ask(CHAT, cast("dict[str, Any]", request), call)

    async def count_tokens(self, request: ChatRequest, call: Call) -> int:
        """How many tokens the prompt of a chat has, its tools included. Raises ProviderError."""
        prompt = {name: value for name, value in request.items() if name in PROMPT_FIELDS}
        answer = await self._runtime.ask_json(COUNT_PATH, prompt, call)
        if (tokens := whole_number(answer, "input_tokens")) is None:
            raise self._counted_none(call)
        return tokens

    async def count_text_tokens(self, texts: Sequence[str], call: Call) -> list[int]:
        """How many tokens each text is to the model, special ones left out. Raises ProviderError."""
        counts: list[int] = []
        for part in shares(texts):
            answer = await self._runtime.ask_json(COUNT_TEXTS_PATH, {"input": part}, call)
            if (found := whole_numbers(answer, "input_tokens", len(part))) is None:
                raise self._counted_none(call)
            counts += found
        return counts

    async def complete(self, request: CompletionRequest, call: Call) -> Reply:
        """Ask for the continuation of a text. Raises ProviderError."""
        return await self._runtime.ask(COMPLETIONS, cast("dict[str, Any]", request), call)

    async def embed(self, request: EmbeddingRequest, call: Call) -> EmbeddingResponse | Unparsed:
        """Ask for embeddings, of at most the entry's `batch_size` texts at a time. Raises ProviderError."""
        size = cast("UniversalEntry", call.entry).transformers.batch_size
        answers = [await self._runtime.ask_vectors(part, call) for part in parts(request, size)]
        return joined(answers)

    async def rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        """Ask for documents in the order in which they fit a query, the best one first. Raises ProviderError."""
        return cast("RerankResponse", await self._runtime.ask_value(RERANK, request, call))

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """Ask how well texts fit each other. Raises ProviderError."""
        return cast("ScoreResponse", await self._runtime.ask_value(SCORE, request, call))

    async def classify(self, request: ClassifyRequest, call: Call) -> ClassifyResponse:
        """Ask for the classes of texts. Raises ProviderError."""
        return cast("ClassifyResponse", await self._runtime.ask_value(CLASSIFY, request, call))

    async def find_entities(self, request: NerRequest, call: Call) -> NerResponse:
        """Ask for the names in texts. Raises ProviderError."""
        return cast("NerResponse", await self._runtime.ask_value(NER, request, call))

    async def transcribe(self, request: TranscriptionRequest, call: Call) -> Content:
        """Ask for a recording as text. Raises ProviderError."""
        return await self._runtime.ask_content(TRANSCRIPTIONS, request, call)

    async def translate(self, request: TranslationRequest, call: Call) -> Content:
        """Ask for a recording as English text. Raises ProviderError."""
        return await self._runtime.ask_content(TRANSLATIONS, request, call)

    async def classify_sounds(self, request: SoundClassesRequest, call: Call) -> SoundClassesResponse:
        """Ask for the classes of recordings. Raises ProviderError."""
        return cast("SoundClassesResponse", await self._runtime.ask_value(SOUND_CLASSES, request, call))

    async def generate_image(self, request: ImageRequest, call: Call) -> Content:
        """Ask for pictures, drawn as the request and then the entry's `diffusion` say. Raises ProviderError."""
        return await self._draw(IMAGES, request, call)

    async def edit_image(self, request: ImageEditRequest, call: Call) -> Content:
        """Ask for changed pictures, drawn likewise. Raises ProviderError."""
        return await self._draw(IMAGE_EDITS, request, call)

    async def vary_image(self, request: ImageVariationRequest, call: Call) -> Content:
        """Ask for pictures like another one, drawn likewise. Raises ProviderError."""
        return await self._draw(IMAGE_VARIATIONS, request, call)

    async def file(self, name: str, call: Call) -> Content:
        """A picture whose address was asked for. Raises UpstreamError (404) where it is kept no more."""
        try:
            return await self._runtime.file(name)
        except (UpstreamError, ConnectionFailed) as error:
            if isinstance(error, ConnectionFailed) or error.code == FILE_EXPIRED:
                raise _expired(error, call.entry.provider) from None
            raise

    async def classify_pictures(self, request: PictureClassesRequest, call: Call) -> PictureClassesResponse:
        """Ask for the classes of pictures. Raises ProviderError."""
        return cast("PictureClassesResponse", await self._runtime.ask_value(PICTURE_CLASSES, request, call))

    async def label_pictures(self, request: ZeroShotRequest, call: Call) -> PictureClassesResponse:
        """Ask which labels of the request's own fit pictures. Raises ProviderError."""
        return cast("PictureClassesResponse", await self._runtime.ask_value(ZERO_SHOT, request, call))

    async def embed_pictures(self, request: FeaturesRequest, call: Call) -> FeaturesResponse:
        """Ask for vectors of pictures, or of their patches. Raises ProviderError."""
        return cast("FeaturesResponse", await self._runtime.ask_value(FEATURES, request, call))

    async def detect_objects(self, request: DetectRequest, call: Call) -> DetectResponse:
        """Ask for the objects in pictures, and where they are. Raises ProviderError."""
        return cast("DetectResponse", await self._runtime.ask_value(DETECT, request, call))

    async def segment_pictures(self, request: SegmentRequest, call: Call) -> SegmentResponse:
        """Ask for the parts of pictures. Raises ProviderError."""
        return cast("SegmentResponse", await self._runtime.ask_value(SEGMENT, request, call))

    async def estimate_depth(self, request: DepthRequest, call: Call) -> DepthResponse:
        """Ask how far away each pixel of pictures is. Raises ProviderError."""
        return cast("DepthResponse", await self._runtime.ask_value(DEPTH, request, call))

    async def caption_pictures(self, request: CaptionRequest, call: Call) -> CaptionResponse:
        """Ask for pictures in words. Raises ProviderError."""
        return cast("CaptionResponse", await self._runtime.ask_value(CAPTION, request, call))

    async def speak(self, request: SpeechRequest, call: Call) -> Content:
        """Ask for a text as sound. Raises ProviderError."""
        return await self._runtime.ask_content(SPEECH, request, call)

    async def pull(self, call: Call) -> None:
        """Have the runtime fetch the files of the entry's model. Raises ModelNotFound, and ProviderError."""
        entry = cast("UniversalEntry", call.entry)
        settings = entry.load_settings()
        body = {
            "id": entry.model,
            "settings": {name: settings[name] for name in FETCHED_BY if name in settings},
            "stream": True,
        }
        told = await self._runtime.follow("/models/pull", body, call, "pulled")
        done = "has been downloaded" if told.get("fetched") else "is there already"
        call.progress(Progress("ready", f"{told.get('id')} {done}"))

    async def remove(self, call: Call) -> None:
        """Have the runtime delete the files of the entry's model, or of its adapter where it has one.

        Raises ModelNotFound, and ProviderError.
        """
        entry = cast("UniversalEntry", call.entry)
        path, headers = f"/models/{quote(entry.own_files, safe='')}", self._runtime.token()
        async with await self._runtime.upstream.open_stream(
            path, {}, call, method="DELETE", stream=False, headers=headers
        ) as answer:
            await answer.json()
        self._runtime.forget_models()

    async def describe_entry(self, entry: ModelEntry) -> ModelInfo:
        """What the runtime says of an entry's model, with its adapter where it has one; loaded or not.

        Raises ModelNotFound. A runtime that does not take the entry's settings of us is asked about the model alone.
        """
        universal = cast("UniversalEntry", entry)
        body = {"id": entry.model, "settings": universal.load_settings()}
        try:
            return info_of(await self._runtime.about(body, entry))
        except ProviderError as error:
            if error.code == NOT_LOADED:
                raise self._missing(entry.model, universal.own_files) from None
            if error.status not in (403, 404, 405) or universal.adapter is not None:
                raise
        return await self.describe(entry.model)

    async def describe(self, model: str) -> ModelInfo:
        """What the runtime says of a model that it has loaded, or whose files it has. Raises ModelNotFound."""
        name = folder_path(model) if is_folder(model) else model
        for row in await self._rows():
            if is_plain(row, name):
                return info_of(row)
        if is_folder(model):
            return self._folder(model)
        try:
            return info_of(await self._runtime.upstream.get_json(f"/models/{quote(model, safe='')}"))
        except ModelNotFound:
            raise self._missing(model) from None

    def _folder(self, model: str) -> ModelInfo:
        """A folder, which only a runtime of this machine reads as we do."""
        path = Path(folder_path(model))
        if not (is_loopback(self.endpoint.base_url) and path.is_dir()):
            raise self._missing(model)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return ModelInfo(model, loaded=False, downloaded=True, size_bytes=size)

    def _missing(self, model: str, own_files: str | None = None) -> ModelNotFound:
        """own_files: of an adapter, where it is one that is missing."""
        files = own_files or model
        wanted = repr(model) if files == model else f"{model!r} with the adapter {files!r}"
        hint = "Its first use downloads and loads it; `lf models pull` downloads it now."
        if is_folder(files):
            hint = "Is that the folder of a model? Folders in llamafarm.yaml count from where that file lies."
        return ModelNotFound(
            f"The Universal Runtime at {self.endpoint.address} has neither loaded nor downloaded {wanted}.",
            provider=self.endpoint.provider,
            hint=hint,
        )

    async def list_models(self) -> list[ModelInfo]:
        """The models that the runtime has loaded, or has been told of. Raises ProviderError."""
        return [info_of(row) for row in await self._rows()]

    async def _rows(self) -> list[dict[str, Any]]:
        items = (await self._runtime.upstream.get_json("/models")).get("data")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    async def health(self) -> Health:
        """Whether the runtime answers and its engine host is not broken."""
        begun = time.monotonic()
        try:
            body = await self._runtime.upstream.get_json(f"{self._runtime.root}/health", within=HEALTH_SECONDS)
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
        await self._runtime.aclose()

    def _counted_none(self, call: Call) -> UpstreamError:
        message = f"{self.endpoint.named(call.entry.model)} at {self.endpoint.address} counted no tokens."
        return UpstreamError(message, provider=self.endpoint.provider)

    async def _draw(self, operation: Operation, request: Any, call: Call) -> Content:
        settings = cast("UniversalEntry", call.entry).diffusion
        if request.get("response_format") == "url" and call.files_url is not None:
            call = replace(call, trace={**call.trace, FILES_URL_HEADER: call.files_url})
        return await self._runtime.ask_content(operation, settings.over(request, sized=operation is IMAGES), call)


def _expired(error: LlamaFarmError, provider: str) -> UpstreamError:
    """What a client is told of a file that is gone, with its runtime or before it."""
    gone = "The runtime that kept this file does not run any more, and the file is gone with it."
    message = gone if isinstance(error, ConnectionFailed) else error.message
    return UpstreamError(message, provider=provider, status=404, code=FILE_EXPIRED)
