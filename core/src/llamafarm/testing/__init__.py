"""For the tests of plugins: contract tests to subclass, and fakes to try providers and agent handlers against.

The contract tests need pytest: `pip install "llamafarm[testing]"`. Nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamafarm.lazy import importer

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


__getattr__ = importer(__name__, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
