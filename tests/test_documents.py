"""What the documents say is there: commands, options, make targets, configurations, links, folders."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import BOUND, Served
from llamafarm.cli.main import lf
from llamafarm.config import load_project
from llamafarm.plugins.manager import PluginManager
from llamafarm.project import BrokenEntry
from packaging.requirements import Requirement
from throwaway import declared

ROOT = Path(__file__).resolve().parents[1]
STRUCTURE = ROOT / "docs" / "structure.md"
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "core/*.md", "plugins/*/*.md", "plugins/*/training/*.md")
    for path in ROOT.glob(pattern)
)
SOURCES = [ROOT / "core/src/llamafarm", *sorted(ROOT.glob("plugins/*/src/*"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LF = re.compile(r"^(?:\w+=\S+ )*(?:\S*/)?lf (.*)")
_MAKE = re.compile(r"^make ([a-z]+)")
_PLACEHOLDERS = ("…", "...")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    return [body for language, body in _FENCE.findall(path.read_text()) if language in languages]


def command_lines(path: Path) -> list[str]:
    """Every command that the document shows: after a `$` in a console block, and in code spans."""
    text = path.read_text()
    shown = [line[2:] for block in blocks(path, "console") for line in block.splitlines() if line.startswith("$ ")]
    shown += [line for block in blocks(path, "sh", "bash", "shell") for line in block.splitlines()]
    shown += _SPAN.findall(_FENCE.sub("", text))
    return [part.strip() for line in shown for part in re.split(r"&&|\|| # |;", line)]


def lf_commands() -> list[tuple[str, str]]:
    found = [
        (named(path), match[1]) for path in DOCUMENTS for line in command_lines(path) if (match := _LF.match(line))
    ]
    return sorted(set(found))


@pytest.mark.parametrize(("document", "arguments"), lf_commands())
def test_every_command_line_of_lf_is_one_that_lf_takes(document: str, arguments: str) -> None:
    words = [word for word in shlex.split(arguments) if word not in _PLACEHOLDERS]
    command: click.Command = lf
    with lf.make_context("lf", words, resilient_parsing=True) as context:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            _, following, words = command.resolve_command(context, words)
            assert following is not None, arguments
            command = following
        if command is lf or isinstance(command, click.Group) or {"--help", "--version"} & set(words):
            words = [word for word in words if word in ("--help", "--version")]
            known = {name for parameter in command.get_params(context) for name in parameter.opts}
            assert set(words) <= known
            return
        command.make_context(command.name, words).close()


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {match[1] for path in DOCUMENTS for line in command_lines(path) if (match := _MAKE.match(line))}

    assert {"demo", "test", "check", "docs"} <= targets
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def yaml_examples() -> list[tuple[str, str]]:
    """Those of docs/plugins/ and of docs/agents.md name what these pages make: tests/docs follows them."""
    followed = {*ROOT.glob("docs/plugins/*"), ROOT / "docs" / "agents.md"}
    pages = [path for path in DOCUMENTS if path not in followed]
    return [(named(path), block) for path in pages for block in blocks(path, "yaml") if "runtime:" in block]


@pytest.mark.parametrize(("document", "text"), yaml_examples())
def test_every_configuration_loads_without_a_broken_entry(document: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "llamafarm.yaml"
    path.write_text(text)
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "secret")

    project = load_project(path, PluginManager(), environ=environ)

    assert project.models
    assert [entry for entry in project.models if isinstance(entry, BrokenEntry)] == []


def test_the_python_example_of_the_readme_gets_an_answer(farm, echo) -> None:
    farm.write(f"runtime: {{models: {{local: {{provider: openai, model: echo, base_url: '{echo.url}'}}}}}}")
    [example] = blocks(ROOT / "README.md", "python")
    with Served(farm) as root:
        program = example.replace("http://127.0.0.1:8000", root) + "\nprint(answer.choices[0].message.content)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=BOUND)

    assert done.stdout == "You said: Hello\n", done.stderr


def links() -> list[tuple[str, str]]:
    found = [(named(path), link) for path in DOCUMENTS for link in _LINK.findall(path.read_text())]
    return [(document, link) for document, link in found if "://" not in link and not link.startswith("#")]


@pytest.mark.parametrize(("document", "link"), links())
def test_every_link_leads_somewhere(document: str, link: str) -> None:
    assert (ROOT / document).parent.joinpath(link.partition("#")[0]).exists()


def packages() -> list[str]:
    folders = [init.parent for source in SOURCES for init in source.rglob("__init__.py") if init.parent != source]
    return sorted(named(folder) for folder in folders)


@pytest.mark.parametrize("package", packages())
def test_the_structure_names_every_package(package: str) -> None:
    assert f"{Path(package).name}/" in STRUCTURE.read_text()


def test_the_structure_names_every_module_beside_the_packages_and_no_others() -> None:
    first_cells = re.findall(r"^\| (`.*?) \|", STRUCTURE.read_text(), re.MULTILINE)
    said = {name.rstrip("/") for cell in first_cells for name in re.findall(r"`([\w/]+)`", cell)}
    needed = {Requirement(line).name for line in declared(ROOT / "core")}
    there = {
        path.relative_to(source).with_suffix("").as_posix()
        for source in SOURCES
        for path in source.rglob("*")
        if path.suffix == ".py" or path.is_dir()
    }
    folders = {named(path).rstrip("/") for path in (*ROOT.iterdir(), *ROOT.glob("plugins/*"))}
    top = {
        path.stem
        for path in SOURCES[0].iterdir()
        if path.stem not in ("__init__", "__pycache__", "py", "paths", "version")
    }

    assert said - there - folders - needed == set()
    assert top - said == set()
