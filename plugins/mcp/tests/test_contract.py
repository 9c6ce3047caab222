"""The plugin keeps the contract of plugins."""

from __future__ import annotations

from llamafarm_kit.testing import PluginContract


class TestMcpServers(PluginContract):
    plugin = "mcp_servers"
