"""The plugin keeps the contracts of plugins and of tool sources."""

from __future__ import annotations

import sys
from pathlib import Path

from llamafarm_kit.testing import PluginContract, ToolSourceContract

PROGRAM = str(Path(__file__).with_name("server.py"))


class TestMcpServers(PluginContract):
    plugin = "mcp_servers"


class TestServers(ToolSourceContract):
    kind = "mcp"
    source = "barn"
    config = {"mcp_servers": {"barn": {"command": sys.executable, "args": [PROGRAM]}}}
    calls = {"weigh": {"cow": "Rosa"}, "pid": {}}
    endless = ("hang", {"log": "log"})
    unreachable = {"mcp_servers": {"barn": {"url": "http://127.0.0.1:9/mcp"}}}
