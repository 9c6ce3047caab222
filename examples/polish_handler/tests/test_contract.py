"""What LlamaFarm expects of every plugin and every agent handler, held by this one: at rest, and at work."""

from __future__ import annotations

from llamafarm_kit.testing import AgentHandlerContract, PluginContract


class TestPlugin(PluginContract):
    plugin = "polish"


class TestAtRest(AgentHandlerContract):
    """A request that asks for no polish."""

    handler = "polish"
    options = {"style": "friendly", "rounds": 2}


class TestAtWork(AgentHandlerContract):
    """Every request asks for it."""

    handler = "polish"
    sends = {"polish": {"style": "formal", "rounds": 2}}
