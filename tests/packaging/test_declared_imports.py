"""Each distribution declares what it imports itself: what comes along with something else may stay away tomorrow."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from throwaway import ROOT

FOLDERS = [ROOT / "core", *sorted((ROOT / "plugins").glob("*/"))]
DISTRIBUTIONS_OF = packages_distributions()
OF_TORCH = {"triton"}
"""torch for CUDA requires one version of it, and nobody imports it elsewhere: asking for another could only clash."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_import_is_of_a_declared_requirement(folder: Path) -> None:
    names = declared(folder)
    undeclared = {
        module
        for module in imported(folder / "src") - OF_TORCH
        if names.isdisjoint(map(canonicalize_name, distributions(module)))
    }
    assert undeclared == set()


def declared(folder: Path) -> set[str]:
    """The distribution itself and its requirements, those of every extra included."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [project["name"], *project["dependencies"], *(line for extra in extras for line in extra)]
    return {str(canonicalize_name(Requirement(line).name)) for line in lines}


def imported(source: Path) -> set[str]:
    """The packages outside the standard library that the files below a folder import."""
    names = (name for path in source.rglob("*.py") for name in imports(ast.parse(path.read_text(encoding="utf-8"))))
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def distributions(module: str) -> list[str]:
    """The distributions that bring a package; ours are called as their packages are."""
    return [*DISTRIBUTIONS_OF.get(module, []), *([module] if module.startswith("llamafarm") else [])]
