"""The core's own agent handlers hold what is asked of everybody's."""

from __future__ import annotations

from llamafarm_kit.testing.handler_contract import AgentHandlerContract


class TestSimple(AgentHandlerContract):
    handler = "simple"
