"""`lf mcp`: what the servers of a project have, and which cannot be reached."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from click.testing import CliRunner
from llamafarm.cli import main

PROGRAM = Path(__file__).with_name("server.py")
CONFIG = f"""
mcp_servers:
  barn: {{command: {sys.executable}, args: [{PROGRAM}]}}
  gone: {{url: "http://127.0.0.1:9/mcp"}}
"""


def lf(folder: Path, *arguments: str):
    (folder / "llamafarm.yaml").write_text(CONFIG)
    return CliRunner().invoke(main.lf, ["--cwd", str(folder), *arguments], standalone_mode=False)


def test_it_lists_the_tools_of_all_servers_and_what_is_wrong_with_one(tmp_path):
    done = lf(tmp_path, "mcp")
    assert done.return_value == 1
    assert "barn: tools: 8\n  weigh  The weight of a cow.\n" in done.stdout
    assert done.stderr.startswith("gone: The MCP server 'gone' cannot be reached: All connection attempts failed.")


def test_it_shows_the_schemas_of_one_server_as_json(tmp_path):
    done = lf(tmp_path, "mcp", "barn", "--json")
    assert done.return_value == 0
    [server] = json.loads(done.stdout)
    assert server["tools"][0]["parameters"]["properties"]["cow"]["type"] == "string"


def test_a_server_that_is_not_there_is_told_with_those_that_are(tmp_path):
    assert str(lf(tmp_path, "mcp", "bran").exception).endswith("Servers: barn, gone.")
