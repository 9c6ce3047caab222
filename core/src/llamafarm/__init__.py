"""LlamaFarm, for those who write plugins: every name that a plugin needs, imported when it is first used.

A plugin is a module like this one, named by an entry point of group `llamafarm.plugins`::

    import llamafarm


    @llamafarm.hookimpl
    def register_providers():
        yield llamafarm.ProviderSpec(...)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    from llamafarm.handlers.base import AgentHandler, Ask, Session, Turn
    from llamafarm.hookspecs import hookimpl
    from llamafarm.providers.base import Call, Endpoint, Health, ModelInfo, Progress, Provider, Reply
    from llamafarm.providers.chunks import ChunkReply
    from llamafarm.providers.entry import ModelEntry, Timeouts
    from llamafarm.providers.http import HttpUpstream
    from llamafarm.providers.parameters import Parameters
    from llamafarm.providers.reply import JsonReply, SseReply, read_reply
    from llamafarm.providers.urls import normalize_base_url
    from llamafarm.records import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section
    from llamafarm.services.base import Service, ServiceStatus
    from llamafarm.services.process import ProcessService, ProcessSpec
    from llamafarm.wire.chat import ChatChunk, ChatRequest, Message
    from llamafarm.wire.completion import CompletionRequest
    from llamafarm.wire.embedding import EmbeddingRequest, EmbeddingResponse

    __version__: str

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
    "handlers.base": ("AgentHandler", "Ask", "Session", "Turn"),
    "hookspecs": ("hookimpl",),
    "providers.base": ("Call", "Endpoint", "Health", "ModelInfo", "Progress", "Provider", "Reply"),
    "providers.chunks": ("ChunkReply",),
    "providers.entry": ("ModelEntry", "Timeouts"),
    "providers.http": ("HttpUpstream",),
    "providers.parameters": ("Parameters",),
    "providers.reply": ("JsonReply", "SseReply", "read_reply"),
    "providers.urls": ("normalize_base_url",),
    "records": ("AgentHandlerSpec", "ConfigFragment", "EntryBlock", "ProviderSpec", "Section"),
    "services.base": ("Service", "ServiceStatus"),
    "services.process": ("ProcessService", "ProcessSpec"),
    "wire.chat": ("ChatChunk", "ChatRequest", "Message"),
    "wire.completion": ("CompletionRequest",),
    "wire.embedding": ("EmbeddingRequest", "EmbeddingResponse"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AgentHandler",
    "AgentHandlerSpec",
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
    "ContextLengthExceeded",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "Endpoint",
    "EntryBlock",
    "Health",
    "HttpUpstream",
    "InvalidRequest",
    "JsonReply",
    "LlamaFarmError",
    "Message",
    "ModelEntry",
    "ModelInfo",
    "ModelNotFound",
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
    "RateLimited",
    "Reply",
    "RequestError",
    "Section",
    "Service",
    "ServiceError",
    "ServiceStatus",
    "Session",
    "SseReply",
    "Timeouts",
    "Turn",
    "UpstreamError",
    "UsageError",
    "__version__",
    "hookimpl",
    "normalize_base_url",
    "read_reply",
]


def __getattr__(name: str) -> Any:
    """Import `name` from where it lives (PEP 562)."""
    if name == "__version__":
        from llamafarm.version import VERSION

        return VERSION
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
