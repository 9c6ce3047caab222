"""LlamaFarm, for those who write plugins: every name that a plugin needs, imported when it is first used.

A plugin is a module like this one, named by an entry point of group `llamafarm.plugins`::

    import llamafarm


    @llamafarm.hookimpl
    def register_providers():
        yield llamafarm.ProviderSpec(...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamafarm.lazy import importer
from llamafarm.version import VERSION

if TYPE_CHECKING:
    from llamafarm.errors import (
        AuthenticationFailed,
        ConfigError,
        ConnectionBroken,
        ConnectionFailed,
        ContextLengthExceeded,
        InvalidRequest,
        LlamaFarmError,
        ModelNotFound,
        OperationNotSupported,
        PluginError,
        ProviderError,
        ProviderTimeout,
        ProviderUnavailable,
        RateLimited,
        RequestError,
        ServiceError,
        UpstreamError,
        UsageError,
    )
    from llamafarm.farm.farm import Farm
    from llamafarm.farm.opening import open  # noqa: A004
    from llamafarm.farm.sync import SyncFarm, SyncReply
    from llamafarm.handlers.base import AgentHandler, Ask, Session, Turn
    from llamafarm.hookspecs import hookimpl
    from llamafarm.http.address import host_and_port, is_loopback, normalize_base_url
    from llamafarm.http.answer import Answer
    from llamafarm.http.content import read_content
    from llamafarm.http.refusal import NEVER_RETRIED, ReadError, Refusal, error_of
    from llamafarm.http.reply import SseReply, read_reply
    from llamafarm.http.upstream import HttpUpstream
    from llamafarm.paths import data_dir
    from llamafarm.plugins.catalogue import pip_command
    from llamafarm.providers.base import (
        Call,
        Endpoint,
        Health,
        ModelInfo,
        Progress,
        Provider,
        Pulls,
        Removes,
        ignore_progress,
    )
    from llamafarm.providers.chunks import ChunkReply
    from llamafarm.providers.content import Content
    from llamafarm.providers.entry import InstructorMode, ModelEntry, Timeouts, beside_config
    from llamafarm.providers.parameters import Field, Parameters, note_ignored
    from llamafarm.providers.reply import JsonReply, Reply
    from llamafarm.records import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section
    from llamafarm.services.base import Service, ServiceStatus
    from llamafarm.services.process import ProcessService
    from llamafarm.services.spec import ProcessSpec
    from llamafarm.services.state import token_of
    from llamafarm.wire import sse
    from llamafarm.wire.audio import SpeechRequest, Transcription, TranscriptionRequest, TranslationRequest
    from llamafarm.wire.chat import ChatChunk, ChatRequest, Message
    from llamafarm.wire.completion import CompletionRequest
    from llamafarm.wire.embedding import Embedding, EmbeddingRequest, EmbeddingResponse
    from llamafarm.wire.envelope import read_error
    from llamafarm.wire.image import ImageEditRequest, ImageRequest, ImagesResponse, ImageVariationRequest
    from llamafarm.wire.operations import (
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        IMAGE_EDITS,
        IMAGE_VARIATIONS,
        IMAGES,
        OPERATIONS,
        RERANK,
        SCORE,
        SPEECH,
        TRANSCRIPTIONS,
        TRANSLATIONS,
        Operation,
    )
    from llamafarm.wire.rerank import RerankRequest, RerankResponse, ScoreRequest, ScoreResponse
    from llamafarm.wire.upload import Upload

__version__ = VERSION

_HOMES = {
    "errors": (
        "AuthenticationFailed",
        "ConfigError",
        "ConnectionBroken",
        "ConnectionFailed",
        "ContextLengthExceeded",
        "InvalidRequest",
        "LlamaFarmError",
        "ModelNotFound",
        "OperationNotSupported",
        "PluginError",
        "ProviderError",
        "ProviderTimeout",
        "ProviderUnavailable",
        "RateLimited",
        "RequestError",
        "ServiceError",
        "UpstreamError",
        "UsageError",
    ),
    "farm.farm": ("Farm",),
    "farm.opening": ("open",),
    "farm.sync": ("SyncFarm", "SyncReply"),
    "handlers.base": ("AgentHandler", "Ask", "Session", "Turn"),
    "hookspecs": ("hookimpl",),
    "http.address": ("host_and_port", "is_loopback", "normalize_base_url"),
    "http.answer": ("Answer",),
    "http.content": ("read_content",),
    "http.refusal": ("NEVER_RETRIED", "ReadError", "Refusal", "error_of"),
    "http.reply": ("SseReply", "read_reply"),
    "http.upstream": ("HttpUpstream",),
    "paths": ("data_dir",),
    "plugins.catalogue": ("pip_command",),
    "providers.base": (
        "Call",
        "Endpoint",
        "Health",
        "ModelInfo",
        "Progress",
        "Provider",
        "Pulls",
        "Removes",
        "ignore_progress",
    ),
    "providers.chunks": ("ChunkReply",),
    "providers.content": ("Content",),
    "providers.entry": ("InstructorMode", "ModelEntry", "Timeouts", "beside_config"),
    "providers.parameters": ("Field", "Parameters", "note_ignored"),
    "providers.reply": ("JsonReply", "Reply"),
    "records": ("AgentHandlerSpec", "ConfigFragment", "EntryBlock", "ProviderSpec", "Section"),
    "services.base": ("Service", "ServiceStatus"),
    "services.process": ("ProcessService",),
    "services.spec": ("ProcessSpec",),
    "services.state": ("token_of",),
    "wire.audio": ("SpeechRequest", "Transcription", "TranscriptionRequest", "TranslationRequest"),
    "wire.chat": ("ChatChunk", "ChatRequest", "Message"),
    "wire.completion": ("CompletionRequest",),
    "wire.embedding": ("Embedding", "EmbeddingRequest", "EmbeddingResponse"),
    "wire.envelope": ("read_error",),
    "wire.image": ("ImageEditRequest", "ImageRequest", "ImageVariationRequest", "ImagesResponse"),
    "wire.operations": (
        "CHAT",
        "COMPLETIONS",
        "EMBEDDINGS",
        "IMAGES",
        "IMAGE_EDITS",
        "IMAGE_VARIATIONS",
        "OPERATIONS",
        "Operation",
        "RERANK",
        "SCORE",
        "SPEECH",
        "TRANSCRIPTIONS",
        "TRANSLATIONS",
    ),
    "wire.rerank": ("RerankRequest", "RerankResponse", "ScoreRequest", "ScoreResponse"),
    "wire.sse": ("sse",),
    "wire.upload": ("Upload",),
}

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "IMAGES",
    "IMAGE_EDITS",
    "IMAGE_VARIATIONS",
    "NEVER_RETRIED",
    "OPERATIONS",
    "RERANK",
    "SCORE",
    "SPEECH",
    "TRANSCRIPTIONS",
    "TRANSLATIONS",
    "AgentHandler",
    "AgentHandlerSpec",
    "Answer",
    "Ask",
    "AuthenticationFailed",
    "Call",
    "ChatChunk",
    "ChatRequest",
    "ChunkReply",
    "CompletionRequest",
    "ConfigError",
    "ConfigFragment",
    "ConnectionBroken",
    "ConnectionFailed",
    "Content",
    "ContextLengthExceeded",
    "Embedding",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "Endpoint",
    "EntryBlock",
    "Farm",
    "Field",
    "Health",
    "HttpUpstream",
    "ImageEditRequest",
    "ImageRequest",
    "ImageVariationRequest",
    "ImagesResponse",
    "InstructorMode",
    "InvalidRequest",
    "JsonReply",
    "LlamaFarmError",
    "Message",
    "ModelEntry",
    "ModelInfo",
    "ModelNotFound",
    "Operation",
    "OperationNotSupported",
    "Parameters",
    "PluginError",
    "ProcessService",
    "ProcessSpec",
    "Progress",
    "Provider",
    "ProviderError",
    "ProviderSpec",
    "ProviderTimeout",
    "ProviderUnavailable",
    "Pulls",
    "RateLimited",
    "ReadError",
    "Refusal",
    "Removes",
    "Reply",
    "RequestError",
    "RerankRequest",
    "RerankResponse",
    "ScoreRequest",
    "ScoreResponse",
    "Section",
    "Service",
    "ServiceError",
    "ServiceStatus",
    "Session",
    "SpeechRequest",
    "SseReply",
    "SyncFarm",
    "SyncReply",
    "Timeouts",
    "Transcription",
    "TranscriptionRequest",
    "TranslationRequest",
    "Turn",
    "Upload",
    "UpstreamError",
    "UsageError",
    "__version__",
    "beside_config",
    "data_dir",
    "error_of",
    "hookimpl",
    "host_and_port",
    "ignore_progress",
    "is_loopback",
    "normalize_base_url",
    "note_ignored",
    "open",
    "pip_command",
    "read_content",
    "read_error",
    "read_reply",
    "sse",
    "token_of",
]


__getattr__ = importer(__name__, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
