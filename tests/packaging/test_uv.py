"""uv installs from a clone as pip does: what depends on a distribution of ours means the one in the same clone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from throwaway import BIN, CORE, KEPT_OUT, KIT, OPENAI, ROOT, closure, declared

Uv = Callable[..., str]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an index would give: every third-party distribution that is needed, packed from what is installed."""
    folder = tmp_path_factory.mktemp("wheels")
    needed = [line for source in (CORE, OPENAI, KIT) for line in declared(source)]
    for one in closure([*needed, "hatchling", "editables"]).values():
        pack(one, folder)
    return folder


@pytest.fixture
def uv(tmp_path: Path, wheels: Path) -> Uv:
    """Runs uv in the root of the clone, without the network, and gives what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*KEPT_OUT, "UV_"))}
    own = {name: str(tmp_path / name) for name in ("UV_CACHE_DIR", "UV_TOOL_DIR", "UV_TOOL_BIN_DIR")}
    index = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels), "UV_PYTHON": sys.executable}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("uv"), *arguments],
            cwd=ROOT,
            env={**kept, **own, **index},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_folders_of_a_clone_are_installed_together(uv: Uv, tmp_path: Path) -> None:
    uv("venv", str(tmp_path / "venv"))
    uv("pip", "install", "--python", str(tmp_path / "venv"), "./core[testing]", "./plugins/openai_compat")
    assert plugins(tmp_path / "venv" / BIN / "lf") >= {"simple", "openai"}


def test_a_tool_is_installed_from_a_clone_with_its_plugins(uv: Uv, tmp_path: Path) -> None:
    uv("tool", "install", "./core", "--with", "./plugins/openai_compat")
    assert plugins(tmp_path / "UV_TOOL_BIN_DIR" / "lf") == {"simple", "openai"}


def test_every_distribution_of_the_clone_is_known_by_its_name() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    members = [ROOT / member / "pyproject.toml" for member in settings["workspace"]["members"]]
    names = {tomllib.loads(path.read_text())["project"]["name"] for path in members}
    assert sorted(members) == sorted([ROOT / "core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
    assert settings["sources"] == {name: {"workspace": True} for name in names}


def plugins(lf: Path) -> set[str]:
    """The plugins that this `lf` has."""
    listed = subprocess.run([lf, "plugins", "list"], capture_output=True, text=True, check=True, timeout=60)
    return {line.split()[0] for line in listed.stdout.splitlines()[1:]}


def pack(one: Distribution, into: Path) -> None:
    """Make a wheel of an installed distribution."""
    info = one.read_text("WHEEL") or ""
    tag = next(line.removeprefix("Tag: ") for line in info.splitlines() if line.startswith("Tag: "))
    name = f"{one.name.replace('-', '_')}-{one.version}-{tag}.whl"
    with zipfile.ZipFile(into / name, "w") as wheel:
        for file in one.files or ():
            source = Path(str(one.locate_file(file)))
            if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
                wheel.write(source, str(file))
