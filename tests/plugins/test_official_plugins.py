"""The official plugins that are installed: each loads by itself, quickly, without the network or anything heavy."""

from __future__ import annotations

from llamafarm.plugins.manager import PluginManager
from llamafarm_kit.check import check_all


def test_every_official_plugin_passes_the_check():
    rows = [row for row in check_all(PluginManager(environ={}), timeout=60) if row.distribution.startswith("llamafarm")]
    assert {"simple", "openai", "universal"} <= {row.name for row in rows}
    assert [(row.name, row.status, row.cause) for row in rows] == [(row.name, "active", None) for row in rows]
