"""What the clients are installed into: environments below build/clients, made anew where their pins have changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "clients"
BOUND = 600
"""Seconds that one installation may take."""
NODE = 22
"""The first version of Node.js that the AI SDK asks for."""


def python_program(name: str) -> list[str]:
    """The command that runs `NAME.py` with what `NAME.txt` pins."""
    return [str(_environment(name) / "python"), "-W", "ignore", str(HERE / f"{name}.py")]


def node_program(name: str) -> list[str]:
    """The command that runs `NAME.mjs` with what package.json pins.

    Node.js is the machine's where that is new enough, else the one from PyPI that `NAME.txt` pins.
    """
    programs = _node() or _environment(name)
    packages = HERE / "package.json"
    folder = BUILD / f"{name}-packages"
    if _is_stale(folder, packages):
        shutil.copy(packages, folder)
        _run(programs / "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", folder=folder)
        _keep(folder, packages)
    return [str(programs / "node"), str(shutil.copy(HERE / f"{name}.mjs", folder))]


def _environment(name: str) -> Path:
    """The folder with the programs of an environment of Python."""
    folder, pins = BUILD / name, HERE / f"{name}.txt"
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if _is_stale(folder, pins):
        _run(sys.executable, "-m", "venv", folder)
        _run(programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", pins)
        _keep(folder, pins)
    return programs


def _node() -> Path | None:
    """The folder with the machine's `node` and `npm`."""
    node = shutil.which("node")
    if node is None or not (Path(node).parent / "npm").exists():
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=BOUND).stdout
    return Path(node).parent if int(version.lstrip("v").partition(".")[0]) >= NODE else None


def _is_stale(folder: Path, pins: Path) -> bool:
    """Whether a folder was made of other pins; it is empty then."""
    kept = folder / ".made-of"
    if kept.is_file() and kept.read_text() == pins.read_text():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return True


def _keep(folder: Path, pins: Path) -> None:
    (folder / ".made-of").write_text(pins.read_text())


def _run(*command: str | Path, folder: Path = HERE) -> None:
    print("$", *command, file=sys.stderr, flush=True)
    subprocess.run(command, cwd=folder, check=True, timeout=BOUND, stdin=subprocess.DEVNULL, stdout=sys.stderr)
