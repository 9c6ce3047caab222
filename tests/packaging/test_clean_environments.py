"""Each distribution works with what it declares and nothing more, in an environment that holds nothing else.

One environment grows step by step, so that each step has only what the distributions so far have declared, at the
versions that the workspace has.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from throwaway import CORE, KIT, ROOT, SITE, link_dependencies, wheel_of

PLUGINS = ROOT / "plugins"
OPENAI = PLUGINS / "openai_compat"
OLLAMA = PLUGINS / "ollama"
LEMONADE = PLUGINS / "lemonade"
AGENTS = PLUGINS / "agents"
MCP = PLUGINS / "mcp"
RAG = PLUGINS / "rag"
UNIVERSAL = PLUGINS / "universal"
SERVER_EXTRA = 'pip install "llamafarm-universal[server]"'
ENGINE_HOST = "llamafarm_universal.host."

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
failed = {}
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if module.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed[module.name] = str(error)
print(json.dumps(failed))
"""

KERNELS = {f"llamafarm_universal.host.engines.text.{name}" for name in ("decode_attention", "decode_kernel")}
"""They need Triton, which torch brings where it is built for CUDA; elsewhere nobody imports them."""

LIST_EVERYTHING = """
import importlib.metadata, json
print(json.dumps([one.name for one in importlib.metadata.distributions()]))
"""


class Environment:
    """A virtual environment with some of our distributions in it, and an empty folder to work in."""

    def __init__(self, home: Path) -> None:
        self._bin = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self._site = home.joinpath("venv", *SITE)
        self.cwd = home / "empty"
        self.cwd.mkdir()
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = str(found.getsockname()[1])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LF_", "UNIVERSAL_"))}
        self._environ = {**kept, "LF_DATA_DIR": str(home / "data"), "UNIVERSAL_RUNTIME_PORT": port, "PYTHONPATH": ""}
        self._run(sys.executable, "-m", "venv", "--without-pip", str(home / "venv"))

    def install(self, *distributions: Path) -> None:
        """Install from this repository, with what they declare."""
        for folder in distributions:
            link_dependencies(self._site, folder)
        pip = [sys.executable, "-m", "pip", "--python", str(self._bin / "python"), "install", "--quiet", "--no-deps"]
        done = subprocess.run([*pip, *map(str, map(wheel_of, distributions))], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def add_extra(self, distribution: Path, extra: str) -> None:
        """Bring what an extra of an installed distribution declares."""
        link_dependencies(self._site, distribution, extra)

    def lf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(self._bin / "lf"), *arguments, check=False)

    def unimportable(self, *packages: str) -> dict[str, str]:
        """The modules of `packages` that cannot be imported, with the cause."""
        failed: dict[str, str] = json.loads(
            self._run(str(self._bin / "python"), "-c", IMPORT_EVERYTHING, *packages).stdout
        )
        return failed

    def distributions(self) -> set[str]:
        """What is installed."""
        return set(json.loads(self._run(str(self._bin / "python"), "-c", LIST_EVERYTHING).stdout))

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.cwd,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=check,
        )


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.mark.timeout(600)
def test_each_distribution_works_with_what_it_and_those_below_it_declare(environment: Environment) -> None:
    environment.install(CORE)
    the_core_alone_gives_a_working_lf(environment)

    environment.install(OPENAI)
    one_more_distribution_is_one_more_provider(environment)

    environment.install(OLLAMA, LEMONADE)
    two_more_are_two_more_providers(environment)

    environment.install(AGENTS, MCP)
    the_agents_add_their_handlers(environment)
    mcp_adds_a_source_of_tools(environment)

    environment.install(RAG)
    rag_adds_its_sections(environment)

    environment.install(KIT)
    the_kit_adds_two_commands(environment)

    environment.install(UNIVERSAL)
    the_universal_client_needs_no_torch(environment)

    environment.add_extra(UNIVERSAL, "server")
    the_server_extra_brings_all_that_the_runtime_needs(environment)


def the_core_alone_gives_a_working_lf(core: Environment) -> None:
    assert core.unimportable("llamafarm") == {}
    assert len(core.distributions()) <= 34
    assert core.lf("--help").returncode == 0
    missing = core.lf("plugins", "new", "acme")
    assert missing.returncode == 1
    assert "pip install llamafarm-kit" in missing.stderr
    assert core.lf("init").returncode == 0
    listed = core.lf("models", "list")
    assert listed.returncode == 0
    assert "is not installed" in listed.stdout
    asked = core.lf("chat", "Hello")
    assert asked.returncode == 1
    assert SERVER_EXTRA in asked.stderr


def one_more_distribution_is_one_more_provider(both: Environment) -> None:
    assert both.unimportable("llamafarm", "llamafarm_openai_compat") == {}
    plugins = json.loads(both.lf("plugins", "list", "--json").stdout)
    assert {row["name"]: row["status"] for row in plugins} == {"simple": "active", "openai": "active"}


def two_more_are_two_more_providers(four: Environment) -> None:
    assert four.unimportable("llamafarm_ollama", "llamafarm_lemonade") == {}
    plugins = json.loads(four.lf("plugins", "list", "--json").stdout)
    assert {row["name"] for row in plugins if row["status"] == "active"} == {"simple", "openai", "ollama", "lemonade"}


def the_agents_add_their_handlers(five: Environment) -> None:
    assert five.unimportable("llamafarm_agents") == {}
    plugins = json.loads(five.lf("plugins", "list", "--json").stdout)
    assert {row["name"] for row in plugins if row["status"] == "active"} >= {
        "classifier",
        "guard",
        "structured",
        "tools",
    }


def mcp_adds_a_source_of_tools(six: Environment) -> None:
    assert six.unimportable("llamafarm_mcp") == {}
    plugins = json.loads(six.lf("plugins", "list", "--json").stdout)
    assert [row["tool_sources"] for row in plugins if row["name"] == "mcp_servers"] == [["mcp"]]
    assert "This project has no MCP servers" in six.lf("mcp").stderr


def rag_adds_its_sections(seven: Environment) -> None:
    assert seven.unimportable("llamafarm_rag") == {}
    plugins = json.loads(seven.lf("plugins", "list", "--json").stdout)
    assert [row["fragments"] for row in plugins if row["name"] == "rag"] == [["rag", "datasets"]]


def the_kit_adds_two_commands(author: Environment) -> None:
    assert author.unimportable("llamafarm_kit") == {}
    assert author.lf("plugins", "check").returncode == 0
    written = author.lf("plugins", "new", "acme", "--path", str(author.cwd / "acme"))
    assert written.returncode == 0, written.stderr


def the_universal_client_needs_no_torch(client: Environment) -> None:
    failed = client.unimportable("llamafarm", "llamafarm_openai_compat", "llamafarm_universal")
    assert [name for name in failed if not name.startswith(ENGINE_HOST)] == []
    assert "torch" not in client.distributions()
    asked = client.lf("chat", "Hello")
    assert asked.returncode == 1
    assert SERVER_EXTRA in asked.stderr


def the_server_extra_brings_all_that_the_runtime_needs(server: Environment) -> None:
    failed = server.unimportable("llamafarm_universal")
    assert {name: cause for name, cause in failed.items() if "triton" not in cause} == {}
    assert set(failed) <= KERNELS
    try:
        asked = server.lf("chat", "What is LlamaFarm?")
        assert asked.returncode == 0, asked.stderr
        assert asked.stdout.strip()
    finally:
        server.lf("stop")
