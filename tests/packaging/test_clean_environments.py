"""Each distribution works with what it declares and nothing more, in an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = "./core"
OPENAI = "./plugins/openai_compat"
UNIVERSAL = "./plugins/universal"

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

pytestmark = pytest.mark.timeout(600)


class Environment:
    """A virtual environment with some of our distributions in it."""

    def __init__(self, home: Path, *distributions: str) -> None:
        self.bin = home / "venv" / "bin"
        self.cwd = home / "empty"
        self.cwd.mkdir()
        subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
        pip = [str(self.bin / "pip"), "install", "--quiet", "-c", "constraints.txt", *distributions]
        subprocess.run(pip, check=True, cwd=ROOT, capture_output=True)

    def lf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "LF_DATA_DIR": str(self.cwd / "data"), "PYTHONPATH": ""}
        return subprocess.run(
            [str(self.bin / "lf"), *arguments],
            cwd=self.cwd,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def unimportable(self, *packages: str) -> dict[str, str]:
        """The modules of `packages` that cannot be imported, with the cause."""
        found = subprocess.run(
            [str(self.bin / "python"), "-c", IMPORT_EVERYTHING, *packages],
            cwd=self.cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(found.stdout.splitlines()[-1])

    def count(self) -> int:
        """How many distributions are installed, pip and setuptools not counted."""
        found = subprocess.run(
            [str(self.bin / "pip"), "list", "--format=json"], capture_output=True, text=True, check=True
        )
        return len([row for row in json.loads(found.stdout) if row["name"] not in ("pip", "setuptools")])


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Environment]:
    return lambda *distributions: Environment(tmp_path, *distributions)


def test_the_core_alone_gives_a_working_lf(made: Callable[..., Environment]) -> None:
    core = made(CORE)

    assert core.unimportable("llamafarm") == {}
    assert core.count() <= 30
    assert core.lf("--help").returncode == 0
    assert core.lf("init").returncode == 0
    listed = core.lf("models", "list")
    assert listed.returncode == 0
    assert "llamafarm-universal" in listed.stdout + listed.stderr
    asked = core.lf("chat", "Hello")
    assert asked.returncode == 1
    assert 'pip install "llamafarm-universal[server]"' in asked.stderr


def test_one_more_distribution_is_one_more_provider(made: Callable[..., Environment]) -> None:
    both = made(CORE, OPENAI)

    assert both.unimportable("llamafarm", "llamafarm_openai_compat") == {}
    plugins = json.loads(both.lf("plugins", "list", "--json").stdout)
    assert {row["name"]: row["status"] for row in plugins} == {"simple": "active", "openai": "active"}


def test_the_universal_client_needs_no_torch(made: Callable[..., Environment]) -> None:
    client = made(CORE, OPENAI, UNIVERSAL)

    failed = client.unimportable("llamafarm", "llamafarm_openai_compat", "llamafarm_universal")
    assert [name for name in failed if not name.startswith("llamafarm_universal.host.")] == []
    client.lf("init")
    asked = client.lf("chat", "Hello")
    assert asked.returncode == 1
    assert 'pip install "llamafarm-universal[server]"' in asked.stderr


def test_the_server_extra_brings_all_that_the_runtime_imports(made: Callable[..., Environment]) -> None:
    server = made(CORE, OPENAI, f"{UNIVERSAL}[server]")

    assert server.unimportable("llamafarm_universal") == {}
