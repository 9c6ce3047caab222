"""The core's own plugin holds what is asked of everybody's."""

from __future__ import annotations

from llamafarm_kit.testing.plugin_contract import PluginContract


class TestSimple(PluginContract):
    plugin = "simple"
