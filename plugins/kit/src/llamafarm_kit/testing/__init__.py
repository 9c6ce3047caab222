"""For the tests of plugins: contract tests to subclass, and fakes to try providers and agent handlers against."""

from llamafarm_kit.testing.contract import Contract
from llamafarm_kit.testing.handler_contract import AgentHandlerContract
from llamafarm_kit.testing.openai_scenes import OpenAIScenes
from llamafarm_kit.testing.plugin_contract import PluginContract
from llamafarm_kit.testing.provider_contract import ProviderContract
from llamafarm_kit.testing.replay import Exchange, ReplayUpstream
from llamafarm_kit.testing.route_contract import RouteContract
from llamafarm_kit.testing.scenes import Scene, Stage
from llamafarm_kit.testing.scripted import ScriptedPlugins, ScriptedProvider, ScriptedReply
from llamafarm_kit.testing.tool_source_contract import ToolSourceContract
from llamafarm_kit.testing.upstream import Asked, Peer, Script, ScriptedUpstream, answering, silent, streaming

__all__ = [
    "AgentHandlerContract",
    "Asked",
    "Contract",
    "Exchange",
    "OpenAIScenes",
    "Peer",
    "PluginContract",
    "ProviderContract",
    "ReplayUpstream",
    "RouteContract",
    "Scene",
    "Script",
    "ScriptedPlugins",
    "ScriptedProvider",
    "ScriptedReply",
    "ScriptedUpstream",
    "Stage",
    "ToolSourceContract",
    "answering",
    "silent",
    "streaming",
]
