"""The section `mcp_servers`: every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.config import load_project
from llamafarm.errors import ConfigError
from llamafarm.plugins.manager import PluginManager
from llamafarm_mcp.plugin import connect, servers_of

ENTRY = "runtime: {models: [{name: a, provider: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}]}\n"


def load(folder: Path, section: str):
    path = folder / "llamafarm.yaml"
    path.write_text(ENTRY + "mcp_servers:\n" + section)
    return load_project(path, PluginManager(environ={}), environ={"KEY": "moo"})


def test_servers_are_programs_or_addresses_by_their_names(tmp_path):
    project = load(
        tmp_path,
        "  files: {command: python, args: [-m, files], cwd: data}\n"
        "  web: {url: 'https://example.com/mcp', headers: {Authorization: 'Bearer ${KEY}'}}\n",
    )
    servers = servers_of(project).root
    assert list(servers) == ["files", "web"]
    assert servers["files"].cwd == str(tmp_path / "data")
    assert servers["web"].headers == {"Authorization": "Bearer moo"}
    connect(project, "files")


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("{}", "either a `command` that starts it or a `url` where it is"),
        ("{command: a, url: 'http://b'}", "either a `command` that starts it or a `url` where it is"),
        ("{command: a, headers: {b: c}}", "`headers` belongs to a server with `url`"),
        ("{url: 'http://b', args: [c]}", "`args` belongs to a server with `command`"),
        ("{url: b}", "mcp_servers.files.url"),
        ("{comand: a}", "did you mean 'command'"),
    ],
)
def test_a_mistake_is_told_at_its_line(tmp_path, server, problem):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"  files: {server}\n")
    assert problem in str(caught.value)
    assert "llamafarm.yaml:3:" in str(caught.value)
