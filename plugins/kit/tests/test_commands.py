"""`lf plugins new` writes a plugin beside what is there, says what to do next, and never overwrites."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LF = str(Path(sys.executable).parent / "lf")


@pytest.fixture
def lf(tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "LF_DATA_DIR": str(tmp_path / "data")}
        return subprocess.run(
            [LF, "plugins", "new", *arguments], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    return run


def commands(said: str) -> list[str]:
    """The commands that the end of the output recommends, without their notes."""
    _, _, steps = said.partition("What to do next:\n")
    return [line.partition("  # ")[0].strip() for line in steps.splitlines()]


def modules(tmp_path: Path) -> str:
    found = (tmp_path / "llamafarm-acme" / "src" / "llamafarm_acme").glob("[a-z]*.py")
    return " ".join(sorted(path.stem for path in found))


def test_without_options_it_writes_a_provider_into_a_folder_of_the_distributions_name(lf, tmp_path):
    said = lf("acme")
    assert (said.returncode, said.stderr) == (0, "")
    assert "Wrote llamafarm-acme/pyproject.toml\n" in said.stdout
    assert modules(tmp_path) == "config plugin provider"
    assert commands(said.stdout)[0] == "cd llamafarm-acme"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--provider"], "config plugin provider"),
        (["--handler"], "handler options plugin"),
        (["--both"], "config handler options plugin provider"),
        (["--provider", "--handler"], "config handler options plugin provider"),
    ],
    ids=" ".join,
)
def test_the_options_say_what_it_is(lf, tmp_path, options, expected):
    said = lf("acme", *options)
    assert said.returncode == 0, said.stderr
    assert modules(tmp_path) == expected


@pytest.mark.parametrize("kind", ["--provider", "--handler", "--both"])
def test_what_it_recommends_is_what_the_readme_says(lf, tmp_path, kind):
    _, *recommended = commands(lf("acme", kind).stdout)
    readme = (tmp_path / "llamafarm-acme" / "README.md").read_text()
    _, _, section = readme.partition("## From here to a chat\n")
    listed = [line.strip() for line in section.partition("\n## ")[0].splitlines() if line.startswith("    ")]
    assert len(listed) == 5
    assert listed == [command for command in recommended if command in listed]
    assert all(f"`{command}`" in section for command in recommended if command not in listed)


def test_path_names_the_folder_itself(lf, tmp_path):
    said = lf("acme", "--path", "my plugins/first")
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "my plugins" / "first" / "pyproject.toml").is_file()
    assert commands(said.stdout)[0] == 'cd "my plugins/first"'


def test_it_never_overwrites_and_says_what_to_do(lf, tmp_path):
    assert lf("acme").returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = lf("acme", "--handler")
    assert again.returncode == 1
    assert (
        "llamafarm-acme is not empty (it holds .gitignore, LICENSE, README.md, …); nothing was written." in again.stderr
    )
    assert "`--path DIR` names another folder" in again.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(lf, tmp_path):
    said = lf("Acme Server")
    assert said.returncode == 1
    assert "'Acme Server' cannot be the name of a plugin" in said.stderr
    assert "Try 'acme-server'." in said.stderr
    assert [*tmp_path.iterdir()] == []
