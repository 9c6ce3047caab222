"""Throw-away environments: really installed distributions, and nothing of the workspace but what is asked for.

The third-party dependencies of our distributions are copied once for the whole test run from what the workspace has
installed (the closure of what their pyproject.toml declare, no more), so that an environment is made without the
network in the blink of an eye. Everything else is installed by pip, from wheels.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
OPENAI = ROOT / "plugins" / "openai_compat"
KIT = ROOT / "plugins" / "kit"
UNIVERSAL = ROOT / "plugins" / "universal"

SITE = (
    ("lib", f"python{sysconfig.get_python_version()}", "site-packages") if os.name != "nt" else ("Lib", "site-packages")
)
BIN = "bin" if os.name != "nt" else "Scripts"
KEPT_OUT = ("LF_", "UNIVERSAL_", "PYTHON", "PYTEST_", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX")
"""What of the tests' own surroundings would change how a fresh environment works."""


class Environment:
    """A virtual environment of its own and an empty folder to work in, both below `home`.

    It holds the third-party dependencies of the source folders in `of`, and what `also` names of the workspace (such as
    a build backend); the core itself is installed like everything else::

        environment = Environment(tmp_path)
        environment.install(CORE, OPENAI, wheel)
        assert environment.lf("--help").returncode == 0

    folder: where commands run. environ: variables on top of those of the tests.
    """

    def __init__(self, home: Path, *, of: Iterable[Path] = (CORE,), also: Iterable[str] = ()) -> None:
        self.home = home
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        self.environ: dict[str, str] = {"LF_DATA_DIR": str(home / "data"), "COLUMNS": "120"}
        self._venv = home / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self._venv)], check=True, timeout=100)
        self.site = self._venv.joinpath(*SITE)
        (self.site / "_dependencies.pth").write_text(f"{dependencies(tuple(of), tuple(also))}\n")

    @property
    def python(self) -> Path:
        return self._venv / BIN / "python"

    def install(self, *wheels_or_folders: Path | str, deps: bool = False) -> None:
        """Install wheels, and source folders by their wheels. deps=True: with all they declare, at tested versions."""
        found = [str(wheel_of(Path(one)) if Path(one).is_dir() else one) for one in wheels_or_folders]
        self._pip(
            "install", "--no-compile", *(["-c", str(ROOT / "constraints.txt")] if deps else ["--no-deps"]), *found
        )

    def uninstall(self, *distributions: str) -> None:
        self._pip("uninstall", "--yes", *distributions)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder where commands run."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *command: str | Path, check: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, or any other, to its end; `python` and `lf` are the environment's."""
        return subprocess.run(self._found(command), timeout=100, check=check, capture_output=True, **self._how(options))

    def start(self, *command: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start a program and leave it running; the caller ends it."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self._found(command), **{**pipes, **self._how(options)})

    def lf(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run("lf", *arguments, **options)

    def env(self) -> dict[str, str]:
        """All variables that commands see."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(KEPT_OUT)}
        path = os.pathsep.join([str(self._venv / BIN), kept.get("PATH", "")])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self._venv), **self.environ}

    def program(self, name: str | Path) -> str:
        """The path of a program of the environment, or of any other."""
        found = shutil.which(str(name), path=self.env()["PATH"])
        assert found, f"there is no {name}"
        return found

    def _found(self, command: tuple[str | Path, ...]) -> list[str]:
        return [self.program(command[0]), *map(str, command[1:])]

    def _how(self, options: dict[str, Any]) -> dict[str, Any]:
        still = {} if "input" in options else {"stdin": subprocess.DEVNULL}
        return {"cwd": self.folder, "env": self.env(), "text": True, **still, **options}

    def _pip(self, command: str, *arguments: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), command, "--quiet", *arguments]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


@cache
def wheel_of(folder: Path) -> Path:
    """Build the wheel of a source folder, once for the whole test run; its build backend is the workspace's."""
    into = _made("wheel-")
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into), str(folder.resolve())]
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    [wheel] = into.glob("*.whl")
    return wheel


def link_dependencies(site: Path, folder: Path, *extras: str) -> None:
    """Put what the distribution in a source folder declares, and what that needs, into `site`, as links.

    They lead to what the workspace has installed, so gigabytes cost nothing. Our own distributions are left out.
    """
    for one in closure(declared(folder, *extras)).values():
        for name in {file.parts[0] for file in one.files or () if ".." not in file.parts}:
            link, target = site / name, Path(str(one.locate_file(name)))
            if target.exists() and not link.exists():
                link.symlink_to(target, target.is_dir())


@cache
def dependencies(of: tuple[Path, ...], also: tuple[str, ...] = ()) -> Path:
    """A folder with what these source folders declare, and `also`, copied from what is installed in the workspace."""
    into = _made("dependencies-")
    for one in closure([*(line for folder in of for line in declared(folder)), *also]).values():
        _copy(one, into)
    return into


def declared(folder: Path, *extras: str) -> list[str]:
    """The requirements of the distribution in a source folder, with those of its extras."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]


def closure(lines: Iterable[str]) -> dict[str, Distribution]:
    """The third-party distributions that these requirements mean, and what those declare, by name."""
    wanted = [Requirement(line) for line in lines]
    found: dict[str, Distribution] = {}
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        known = (name in found and not requirement.extras) or name.split("-")[0] == "llamafarm"
        if known or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        one = found[name] = distribution(name)
        wanted += _required(one, requirement.extras)
    return found


def _required(one: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, one.requires or []):
        if not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _copy(one: Distribution, into: Path) -> None:
    """Copy what pip has written into site-packages for one distribution; its scripts are not needed."""
    for file in one.files or ():
        source = Path(str(one.locate_file(file)))
        if ".." not in file.parts and source.is_file():
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _made(prefix: str) -> Path:
    """A folder that is gone when the test run ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"llamafarm-{prefix}"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
