"""Commands are shown from tables and metadata; a command of a plugin is imported only when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from llamafarm.cli import main
from llamafarm.errors import PluginError

LF = str(Path(sys.executable).parent / "lf")

COMMAND = """
import click

@click.command()
def brew():
    "Brew tea."
    click.echo("tea")
"""

OPENING = """
import click
from llamafarm.cli import open_farm

@click.command()
def brew():
    with open_farm() as farm:
        click.echo(f"{farm.project.name} has {len(farm.models())} models")
"""


@pytest.fixture
def lf(tmp_path):
    """Runs `lf` with whatever distributions `installed` puts before the others."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        import os

        environ = {**os.environ, "PYTHONPATH": str(tmp_path), "LF_DATA_DIR": str(tmp_path / "data")}
        return subprocess.run([LF, *arguments], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def put(folder: Path, module: str, *, name: str = "tea-plugin", command: str = "brew", requires: str = "") -> None:
    """A distribution that declares a command, as pip leaves it."""
    package = name.replace("-", "_")
    (folder / f"{package}.py").write_text(module)
    info = folder / f"{package}-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n{requires}")
    (info / "entry_points.txt").write_text(f"[llamafarm.commands]\n{command} = {package}:brew\n")


def in_one_space(text: str) -> str:
    """Columns are as wide as whatever is installed."""
    return " ".join(text.split())


def test_a_command_of_a_plugin_is_listed_with_its_distribution_and_works(lf, tmp_path):
    put(tmp_path, COMMAND)

    assert "brew from tea-plugin 2.1" in in_one_space(lf("--help").stdout)
    assert lf("brew").stdout == "tea\n"
    assert "--debug" in lf("brew", "--help").stdout


def test_a_command_of_a_plugin_opens_the_project_that_the_command_line_names(lf, tmp_path):
    put(tmp_path, OPENING)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "llamafarm.yaml").write_text("name: shop\n")

    assert lf("brew", "--cwd", "other").stdout == "shop has 0 models\n"
    assert lf("brew", "--config", "other/llamafarm.yaml").stdout == "shop has 0 models\n"
    assert "There is no llamafarm.yaml" in lf("brew").stderr


def test_a_broken_command_breaks_nothing_else_and_names_its_distribution(lf, tmp_path):
    put(tmp_path, "raise RuntimeError('no tea left')")

    assert lf("--help").returncode == 0
    assert lf("version").returncode == 0
    called = lf("brew")
    assert called.returncode == 1
    assert "'brew' of tea-plugin 2.1 cannot be loaded: RuntimeError: no tea left" in called.stderr
    assert "Traceback" not in called.stderr


def test_a_command_that_two_distributions_bring_is_neithers(lf, tmp_path):
    put(tmp_path, COMMAND)
    put(tmp_path, COMMAND, name="mate-plugin")

    assert "brew from mate-plugin 2.1 and tea-plugin 2.1" in in_one_space(lf("--help").stdout)
    called = lf("brew")
    assert called.returncode == 1
    assert "The command 'brew' is brought by mate-plugin 2.1 and tea-plugin 2.1." in called.stderr


def test_a_command_with_a_name_of_lfs_own_is_hidden_and_said_to_be(lf, tmp_path):
    put(tmp_path, COMMAND, command="version")

    shown = " ".join(lf("--help").stdout.split())
    assert "version from tea-plugin 2.1; `lf` has a command of its own with this name" in shown
    assert lf("version").stdout != "tea\n"


def test_a_command_for_another_core_is_refused_before_its_import(lf, tmp_path):
    put(tmp_path, "raise SystemExit('imported')", requires="Requires-Dist: llamafarm>=9\n")

    called = lf("brew")
    assert called.returncode == 1
    assert "'brew' of tea-plugin 2.1 cannot be loaded: it requires llamafarm>=9, but" in called.stderr


def test_metadata_that_cannot_be_read_hides_no_command_of_others(lf, tmp_path):
    put(tmp_path, COMMAND)
    put(tmp_path, COMMAND, name="mate-plugin")
    (tmp_path / "mate_plugin-2.1.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[")

    assert "brew from tea-plugin 2.1" in in_one_space(lf("--help").stdout)
    assert lf("brew").stdout == "tea\n"


@pytest.mark.parametrize("group", ["config", "models", "plugins", "sessions"])
def test_a_name_with_a_dot_is_a_command_of_that_group_listed_without_importing_it(lf, tmp_path, group):
    put(tmp_path, COMMAND + "\nprint('imported')\n", command=f"{group}.brew")

    shown = lf(group, "--help")
    assert "brew" in shown.stdout
    assert "from tea-plugin 2.1" in shown.stdout
    assert "imported" not in shown.stdout
    assert lf(group, "brew").stdout == "imported\ntea\n"
    assert "brew" not in lf("--help").stdout


def test_a_command_of_a_group_with_a_name_of_its_own_is_hidden_and_said_to_be(lf, tmp_path):
    put(tmp_path, COMMAND, command="plugins.list")

    shown = " ".join(lf("plugins", "--help").stdout.split())
    assert "list from tea-plugin 2.1; `lf plugins` has a command of its own with this name" in shown
    assert "tea-plugin" not in lf("plugins", "list").stdout


def test_an_official_command_that_is_not_installed_comes_with_what_brings_it(monkeypatch, from_an_index):
    monkeypatch.setattr("llamafarm.cli.lazy.plugin_commands", dict)
    with pytest.raises(PluginError, match="The command `lf plugins new` is not installed") as refused:
        main.lf.main(["plugins", "new", "acme"], prog_name="lf", standalone_mode=False)
    assert refused.value.hint == "Install it: pip install llamafarm-kit"
