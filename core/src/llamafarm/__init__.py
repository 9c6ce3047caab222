"""LlamaFarm, for those who write plugins: every name that a plugin needs, imported when it is first used.

    import llamafarm

    @llamafarm.hookimpl
    def register_providers(): ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamafarm.errors import (
        AuthenticationFailed,
        ConfigError,
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
    from llamafarm.providers.entry import ModelEntry, Timeouts
    from llamafarm.providers.parameters import Parameters
    from llamafarm.providers.urls import normalize_base_url
    from llamafarm.records import AgentHandlerSpec, ConfigFragment, EntryBlock, ProviderSpec, Section
    from llamafarm.services.base import Service, ServiceStatus
    from llamafarm.version import VERSION as __version__

_HOMES = {
    "errors": (
        "AuthenticationFailed",
        "ConfigError",
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
    "providers.entry": ("ModelEntry", "Timeouts"),
    "providers.parameters": ("Parameters",),
    "providers.urls": ("normalize_base_url",),
    "records": ("AgentHandlerSpec", "ConfigFragment", "EntryBlock", "ProviderSpec", "Section"),
    "services.base": ("Service", "ServiceStatus"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AgentHandler",
    "AgentHandlerSpec",
    "Ask",
    "AuthenticationFailed",
    "Call",
    "ConfigError",
    "ConfigFragment",
    "ConnectionFailed",
    "ContextLengthExceeded",
    "Endpoint",
    "EntryBlock",
    "Health",
    "InvalidRequest",
    "LlamaFarmError",
    "ModelEntry",
    "ModelInfo",
    "ModelNotFound",
    "OperationNotSupported",
    "Parameters",
    "PluginError",
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
    "Timeouts",
    "Turn",
    "UpstreamError",
    "UsageError",
    "__version__",
    "hookimpl",
    "normalize_base_url",
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
