"""The operation table: one row for each thing that can be asked of a provider.

Routes of the API, paths of the client, the error "cannot do this" and the table in the documents all come from here, so
that a new operation is a new row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints

from llamafarm.wire.audio import (
    SoundClassesRequest,
    SoundClassesResponse,
    SpeechRequest,
    Transcription,
    TranscriptionRequest,
    TranslationRequest,
)
from llamafarm.wire.chat import ChatChunk, ChatCompletion, ChatRequest
from llamafarm.wire.classify import ClassifyRequest, ClassifyResponse, NerRequest, NerResponse
from llamafarm.wire.completion import Completion, CompletionRequest
from llamafarm.wire.embedding import EmbeddingRequest, EmbeddingResponse
from llamafarm.wire.image import ImageEditRequest, ImageRequest, ImagesResponse, ImageVariationRequest
from llamafarm.wire.rerank import RerankRequest, RerankResponse, ScoreRequest, ScoreResponse
from llamafarm.wire.upload import MediaInput, Upload
from llamafarm.wire.vision import (
    CaptionRequest,
    CaptionResponse,
    DepthRequest,
    DepthResponse,
    DetectRequest,
    DetectResponse,
    FeaturesRequest,
    FeaturesResponse,
    PictureClassesRequest,
    PictureClassesResponse,
    SegmentRequest,
    SegmentResponse,
    ZeroShotRequest,
)


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of a provider: a row of the table.

    name: what users read. method: the provider's method that does it. path: below the base URL that ends in `/v1`.

    `request`, `answer` and `chunk` are the types of the wire; `chunk` is None where the answer is no text that grows.
    returns: what the method returns, the answer itself (`value`), a `Reply`, or a `Content`, whose media type the
    request decides.
    """

    name: str
    method: str
    path: str
    request: type[Any]
    answer: type[Any]
    chunk: type[Any] | None = None
    returns: Literal["value", "reply", "content"] = "value"

    @cached_property
    def fields(self) -> frozenset[str]:
        """The request's fields that the wire defines."""
        return frozenset(self.request.__annotations__)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that every request has, in the wire's order."""
        hints = get_type_hints(self.request, include_extras=True)
        return tuple(name for name, hint in hints.items() if get_origin(hint) is not NotRequired)

    @cached_property
    def is_form(self) -> bool:
        """Whether a request travels as a form, because it holds files, and not as JSON."""
        hints = get_type_hints(self.request)
        return any(Upload in (hints[name], *get_args(hints[name])) for name in self.required)

    @cached_property
    def takes_media(self) -> bool:
        """Whether its `input` are files, so that a form with files stands for the JSON of a request, too."""
        return bool(get_type_hints(self.request).get("input") == MediaInput)


CHAT = Operation("chat", "chat", "/chat/completions", ChatRequest, ChatCompletion, ChatChunk, returns="reply")
"""Conversations."""
COMPLETIONS = Operation(
    "completions", "complete", "/completions", CompletionRequest, Completion, Completion, returns="reply"
)
"""Continuations of a text."""
EMBEDDINGS = Operation("embeddings", "embed", "/embeddings", EmbeddingRequest, EmbeddingResponse)
"""Vectors of texts."""
IMAGES = Operation("images", "generate_image", "/images/generations", ImageRequest, ImagesResponse, returns="content")
"""Pictures, made of a text."""
IMAGE_EDITS = Operation(
    "image edits", "edit_image", "/images/edits", ImageEditRequest, ImagesResponse, returns="content"
)
"""Pictures, changed."""
IMAGE_VARIATIONS = Operation(
    "image variations", "vary_image", "/images/variations", ImageVariationRequest, ImagesResponse, returns="content"
)
"""Pictures like a given one."""
TRANSCRIPTIONS = Operation(
    "transcriptions", "transcribe", "/audio/transcriptions", TranscriptionRequest, Transcription, returns="content"
)
"""Sound, written down."""
TRANSLATIONS = Operation(
    "translations", "translate", "/audio/translations", TranslationRequest, Transcription, returns="content"
)
"""Sound, written down in English."""
SPEECH = Operation("speech", "speak", "/audio/speech", SpeechRequest, bytes, returns="content")
"""Texts, spoken."""
SOUND_CLASSES = Operation(
    "audio/classify", "classify_sounds", "/audio/classify", SoundClassesRequest, SoundClassesResponse
)
"""Recordings, sorted into the classes of a model."""
RERANK = Operation("rerank", "rerank", "/rerank", RerankRequest, RerankResponse)
"""Documents, put in order."""
SCORE = Operation("score", "score", "/score", ScoreRequest, ScoreResponse)
"""Texts, compared."""
CLASSIFY = Operation("classify", "classify", "/classify", ClassifyRequest, ClassifyResponse)
"""Texts, sorted into classes."""
NER = Operation("ner", "find_entities", "/ner", NerRequest, NerResponse)
"""Names of persons, places and so on, found in texts."""
PICTURE_CLASSES = Operation(
    "vision/classify", "classify_pictures", "/vision/classify", PictureClassesRequest, PictureClassesResponse
)
"""Pictures, sorted into the classes of a model."""
ZERO_SHOT = Operation(
    "vision/zero-shot", "label_pictures", "/vision/zero-shot", ZeroShotRequest, PictureClassesResponse
)
"""Pictures, compared with labels of the request's own."""
FEATURES = Operation("vision/features", "embed_pictures", "/vision/features", FeaturesRequest, FeaturesResponse)
"""Vectors of pictures, or of their patches."""
DETECT = Operation("vision/detect", "detect_objects", "/vision/detect", DetectRequest, DetectResponse)
"""Objects in pictures, and where they are."""
SEGMENT = Operation("vision/segment", "segment_pictures", "/vision/segment", SegmentRequest, SegmentResponse)
"""Pictures, divided into parts."""
DEPTH = Operation("vision/depth", "estimate_depth", "/vision/depth", DepthRequest, DepthResponse)
"""How far away each pixel of a picture is."""
CAPTION = Operation("vision/caption", "caption_pictures", "/vision/caption", CaptionRequest, CaptionResponse)
"""Pictures, described in words."""

OPERATIONS: tuple[Operation, ...] = (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    IMAGE_EDITS,
    IMAGE_VARIATIONS,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    SPEECH,
    SOUND_CLASSES,
    RERANK,
    SCORE,
    CLASSIFY,
    NER,
    PICTURE_CLASSES,
    ZERO_SHOT,
    FEATURES,
    DETECT,
    SEGMENT,
    DEPTH,
    CAPTION,
)
"""All rows of the table."""


def _fields_of(*operations: Operation) -> frozenset[str]:
    return frozenset[str]().union(*(operation.fields for operation in operations))


ALL_FIELDS = _fields_of(*OPERATIONS)
"""What can be said of any operation."""
TEXT_FIELDS = _fields_of(CHAT, COMPLETIONS, EMBEDDINGS)
"""Those of what one language model may be asked: its server may well have a `style` or a `language` of its own."""
OWN_FIELDS = frozenset({"model", "stream", "stream_options", "stream_format"}).union(
    *(operation.required for operation in OPERATIONS)
)
"""Fields that only a request can set: what is asked, of whom, and how the answer travels."""
OTHER_NAMES = {"max_completion_tokens": "max_tokens"}
"""What a field of chats is called in the other operations that have it."""
