"""Commands are shown from tables and metadata; a command of a plugin is imported only when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LF = str(Path(sys.executable).parent / "lf")

COMMAND = """
import click

@click.command()
def brew():
    "Brew tea."
    click.echo("tea")
"""


@pytest.fixture
def lf(tmp_path):
    """Runs `lf` with whatever distributions `installed` puts before the others."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        import os

        environ = {**os.environ, "PYTHONPATH": str(tmp_path), "LF_DATA_DIR": str(tmp_path / "data")}
        return subprocess.run([LF, *arguments], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def put(folder: Path, module: str) -> None:
    """A distribution that declares the command `brew`, as pip leaves it."""
    (folder / "tea_plugin.py").write_text(module)
    info = folder / "tea_plugin-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tea-plugin\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[llamafarm.commands]\nbrew = tea_plugin:brew\n")


def test_a_command_of_a_plugin_is_listed_with_its_distribution_and_works(lf, tmp_path):
    put(tmp_path, COMMAND)

    assert "brew  from tea-plugin 2.1" in lf("--help").stdout
    assert lf("brew").stdout == "tea\n"
    assert "--debug" in lf("brew", "--help").stdout


def test_a_broken_command_breaks_nothing_else_and_names_its_distribution(lf, tmp_path):
    put(tmp_path, "raise RuntimeError('no tea left')")

    assert lf("--help").returncode == 0
    assert lf("version").returncode == 0
    called = lf("brew")
    assert called.returncode == 1
    assert "'brew' of tea-plugin 2.1 cannot be loaded: RuntimeError: no tea left" in called.stderr
    assert "Traceback" not in called.stderr
