"""For the tests of plugins: contract tests to subclass, and fakes to try providers and agent handlers against.

The contract tests need pytest: `pip install "llamafarm[testing]"`. Nothing is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamafarm.testing.handler_contract import AgentHandlerContract
    from llamafarm.testing.openai_scenes import OpenAIScenes
    from llamafarm.testing.plugin_contract import PluginContract
    from llamafarm.testing.provider_contract import ProviderContract
    from llamafarm.testing.replay import Exchange, ReplayUpstream
    from llamafarm.testing.scenes import Scene, Stage
    from llamafarm.testing.scripted import ScriptedPlugins, ScriptedProvider, ScriptedReply
    from llamafarm.testing.upstream import Asked, Peer, Script, ScriptedUpstream, answering, silent, streaming

_HOMES = {
    "handler_contract": ("AgentHandlerContract",),
    "openai_scenes": ("OpenAIScenes",),
    "plugin_contract": ("PluginContract",),
    "provider_contract": ("ProviderContract",),
    "replay": ("Exchange", "ReplayUpstream"),
    "scenes": ("Scene", "Stage"),
    "scripted": ("ScriptedPlugins", "ScriptedProvider", "ScriptedReply"),
    "upstream": ("Asked", "Peer", "Script", "ScriptedUpstream", "answering", "silent", "streaming"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AgentHandlerContract",
    "Asked",
    "Exchange",
    "OpenAIScenes",
    "Peer",
    "PluginContract",
    "ProviderContract",
    "ReplayUpstream",
    "Scene",
    "Script",
    "ScriptedPlugins",
    "ScriptedProvider",
    "ScriptedReply",
    "ScriptedUpstream",
    "Stage",
    "answering",
    "silent",
    "streaming",
]


def __getattr__(name: str) -> Any:
    """Import `name` from where it lives (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
