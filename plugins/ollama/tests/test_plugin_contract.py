"""The plugin `ollama` holds what is asked of everybody's."""

from __future__ import annotations

from llamafarm_kit.testing import PluginContract


class TestPlugin(PluginContract):
    plugin = "ollama"
