"""A third party could have written these plugins: of the core they import what `llamafarm` publishes, nothing else.

So it is with engines: of the Universal Runtime they import `llamafarm_universal.engine`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import llamafarm
import pytest
from llamafarm_universal import engine as universal_engine

ROOT = Path(__file__).parents[2]
ENGINE = "llamafarm_universal.engine"
PLUGINS = {
    "openai_compat": ROOT / "plugins" / "openai_compat" / "src",
    "ollama": ROOT / "plugins" / "ollama" / "src",
    "lemonade": ROOT / "plugins" / "lemonade" / "src",
    "universal": ROOT / "plugins" / "universal" / "src",
    **{example.name: example / "src" for example in (ROOT / "examples").iterdir() if (example / "src").is_dir()},
}
PUBLISHED = {
    "lemonade": {"llamafarm_openai_compat"},
    "universal": {"llamafarm_openai_compat", "llamafarm_kit.testing"},
}
"""The modules of other distributions that a plugin may build on."""
PUBLIC = {"llamafarm": llamafarm, ENGINE: universal_engine} | {
    f"llamafarm.{name}": import_module(f"llamafarm.{name}") for name in ("errors", "http", "services", "web", "wire")
}
"""The modules that a plugin or an engine may import from, each as far as its `__all__` goes."""


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_imports_only_what_is_published(name: str) -> None:
    files = sorted(PLUGINS[name].rglob("*.py"))
    assert files
    own = {path.name for path in PLUGINS[name].iterdir()}
    allowed = PUBLISHED.get(name, set())
    private = [f"{path.name}: {said}" for path in files for said in private_imports(path.read_text(), own, allowed)]
    assert private == []


def test_an_engine_imports_the_one_module_of_the_runtime_and_no_other_of_ours() -> None:
    files = sorted((ROOT / "examples" / "bell_engine" / "src").rglob("*.py"))
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert {module for module in modules if is_ours(module, {"llamafarm_bell_engine"})} == {ENGINE}


@pytest.mark.parametrize(
    "source",
    [
        "import llamafarm.errors",
        "import llamafarm.wire.sse as sse",
        "from llamafarm.wire.sse import parse",
        "from llamafarm.http.upstream import HttpUpstream",
        "from llamafarm.http import Connections",
        "from llamafarm.config import load_project",
        "from llamafarm import HttpUpstream",
        "from llamafarm import _get",
        "from llamafarm import nothing",
        "from llamafarm import *",
        "import llamafarm\nllamafarm._get",
        "import llamafarm\nllamafarm.gateway.Gateway",
        "import llamafarm\nllamafarm.http.Connections",
        "import llamafarm as lf",
        "from llamafarm_universal.config import UniversalEntry",
        "from llamafarm_universal.host.loop import Host",
        "from llamafarm_universal.engine import ENGINE",
        "from llamafarm_universal import engine",
        "from importlib import import_module\nimport_module('llamafarm.errors')",
    ],
)
def test_what_is_not_published_is_seen(source: str) -> None:
    assert [*private_imports(source, {"llamafarm_mine"}, set())]


def test_what_is_published_is_let_through() -> None:
    source = (
        "import llamafarm\nfrom llamafarm.wire import sse\nfrom llamafarm_mine import part\n"
        "llamafarm.errors.ConfigError('x')\nllamafarm.ModelInfo('x')"
    )
    assert [*private_imports(source, {"llamafarm_mine"}, set())] == []


def private_imports(source: str, own: set[str], allowed: set[str]) -> Iterator[str]:
    """What a module takes of the core, or of another distribution of ours, that is not published."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if is_ours(one.name, own | allowed) and not is_plain(one))
            case ast.ImportFrom(module=str(module), names=names) if module in PUBLIC:
                yield from (f"{module}.{one.name}" for one in names if one.name not in PUBLIC[module].__all__)
            case ast.ImportFrom(module=str(module)) if is_ours(module, own | allowed):
                yield module
            case ast.Attribute(value=ast.Name(id="llamafarm"), attr=name) if name not in llamafarm.__all__:
                yield f"llamafarm.{name}"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="llamafarm"), attr=module), attr=name):
                home = PUBLIC.get(f"llamafarm.{module}")
                if home is not None and name not in home.__all__:
                    yield f"llamafarm.{module}.{name}"
            case ast.Call(func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module")):
                yield from (ast.unparse(node) for _ in node.args[:1] if names_ours(node.args[0]))


def names_ours(argument: ast.expr) -> bool:
    """Whether a module that is imported by its name may be one of ours: the text of the name says so."""
    return isinstance(argument, ast.Constant) and str(argument.value).startswith("llamafarm")


def is_plain(name: ast.alias) -> bool:
    """`import llamafarm`, under its own name: what is used of it is seen then."""
    return name.name == "llamafarm" and name.asname is None


def is_ours(module: str, known: set[str]) -> bool:
    """Whether it is a module of the core, or of a distribution of ours that is not known."""
    first = module.partition(".")[0]
    return (first == "llamafarm" or first.startswith("llamafarm_")) and not {first, module} & known
