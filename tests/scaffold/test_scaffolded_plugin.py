"""What `lf plugins new` writes is a whole plugin: it installs, passes its tests unedited, and a chat goes through it.

Each kind is written by the `lf` of an environment of its own, and installed there from its wheel, beside the core and
the kit and nothing else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from echo_server import Echo, Serving, echo_app
from throwaway import CORE, KIT, OPENAI, ROOT, Environment

BRINGS = {"provider": (["acme"], []), "handler": ([], ["acme"]), "both": (["acme"], ["acme"])}
"""What each kind of plugin brings: providers and agent handlers."""

each_kind = pytest.mark.parametrize("kind", BRINGS)
with_provider = pytest.mark.parametrize("kind", ["provider", "both"])
with_handler = pytest.mark.parametrize("kind", ["handler", "both"])


@dataclass(frozen=True)
class Plugin:
    """A plugin that was written and installed. folder: its source."""

    kind: str
    folder: Path
    environment: Environment

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.environment.run(*command, cwd=self.folder)


@pytest.fixture(scope="module")
def plugin_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Plugin]:
    """plugin_of(kind) is made once."""

    @cache
    def make(kind: str) -> Plugin:
        environment = Environment(tmp_path_factory.mktemp(kind), of=[CORE, KIT])
        environment.install(CORE, KIT)
        written = environment.lf("plugins", "new", "acme", f"--{kind}")
        assert written.returncode == 0, written.stderr
        folder = environment.folder / "llamafarm-acme"
        environment.install(folder)
        return Plugin(kind, folder, environment)

    return make


@pytest.fixture
def plugin(kind: str, plugin_of: Callable[[str], Plugin]) -> Plugin:
    return plugin_of(kind)


@pytest.fixture(scope="module")
def project_of(plugin_of: Callable[[str], Plugin], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Plugin]:
    """The same, with what its llamafarm.yaml needs: a handler alone asks through the provider `openai`."""

    @cache
    def make(kind: str) -> Plugin:
        plugin = plugin_of(kind)
        if kind != "handler":
            return plugin
        environment = Environment(tmp_path_factory.mktemp("project"))
        environment.install(CORE, OPENAI, plugin.folder)
        return Plugin(kind, plugin.folder, environment)

    return make


@pytest.fixture
def project(kind: str, project_of: Callable[[str], Plugin]) -> Plugin:
    return project_of(kind)


@pytest.fixture
def server(project: Plugin) -> Iterator[Echo]:
    """A server at the address that the plugin's llamafarm.yaml names, but for the port."""
    echo = Echo("")
    config = project.folder / "llamafarm.yaml"
    written = config.read_text()
    with Serving(echo_app(echo)) as echo.url:
        config.write_text(written.replace("http://127.0.0.1:8000", echo.url))
        yield echo
    config.write_text(written)


@each_kind
def test_it_is_active_and_brings_what_was_asked_for(plugin):
    rows = json.loads(plugin.run("lf", "plugins", "list", "--json").stdout)
    [row] = [row for row in rows if row["name"] == "acme"]
    assert (row["status"], row["distribution"], row["version"]) == ("active", "llamafarm-acme", "0.1.0")
    assert (row["providers"], row["handlers"]) == BRINGS[plugin.kind]


@each_kind
def test_its_tests_pass_unedited(plugin):
    ran = plugin.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.fullmatch(r"\d+ passed in .*", ran.stdout.splitlines()[-1]), ran.stdout


@each_kind
def test_the_configuration_that_comes_along_is_valid(project):
    checked = project.run("lf", "config", "validate")
    assert checked.returncode == 0, checked.stderr


@each_kind
def test_a_chat_goes_through_it(project, server):
    said = project.run("lf", "chat", "Hello.")
    assert (said.returncode, said.stdout.strip()) == (0, "You said: Hello."), said.stderr
    assert [request["model"] for request in server.requests] == ["demo"]


@with_handler
def test_its_handler_answers_what_it_knows_and_the_model_is_not_asked(project, server):
    said = project.run("lf", "chat", "ping")
    assert (said.returncode, said.stdout.strip()) == (0, "pong"), said.stderr
    assert server.requests == []


@with_provider
def test_its_provider_says_where_nobody_answers_and_what_to_do(project):
    config = project.folder / "llamafarm.yaml"
    written = config.read_text()
    config.write_text(written.replace("127.0.0.1:8000", "127.0.0.1:9"))
    said = project.run("lf", "chat", "Hello.")
    config.write_text(written)
    assert said.returncode == 1
    assert "Cannot connect to acme at http://127.0.0.1:9/v1" in said.stderr
    assert "is `base_url` right?" in said.stderr
    assert "Traceback" not in said.stderr


@each_kind
def test_strict_type_checking_finds_nothing(plugin, tmp_path_factory):
    """In `src` and `tests`, as its pyproject.toml says. The cache is for all kinds."""
    cached = str(tmp_path_factory.getbasetemp() / "mypy")
    python = str(plugin.environment.python)
    checked = plugin.run(sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", cached)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@each_kind
@pytest.mark.parametrize("settings", ["its own", "LlamaFarm's"])
def test_ruff_finds_nothing(plugin, settings):
    config = (plugin.folder if settings == "its own" else ROOT) / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        checked = plugin.run(sys.executable, "-m", "ruff", *command, "--no-cache", "--config", str(config), ".")
        assert checked.returncode == 0, checked.stdout + checked.stderr
