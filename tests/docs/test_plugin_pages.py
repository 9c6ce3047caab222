"""The pages for authors of plugins say what is so: hooks, records, names, files; and what is generated is current."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType
from typing import Any, get_args

import llamafarm
import llamafarm_kit.testing
import llamafarm_universal.engine
import llamafarm_universal.testing
import pytest
import yaml
from llamafarm import hookspecs, records
from llamafarm.plugins.manager import DISABLE, STRICT, TIMEOUT
from llamafarm.plugins.trace import TRACE
from pages import Block, blocks

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "plugins").glob("*.md"))
HOOKS_PAGE = ROOT / "docs" / "plugins" / "hooks.md"
HOOKS = {
    name: hook
    for name, hook in vars(hookspecs).items()
    if isinstance(hook, FunctionType) and hook.__module__ == hookspecs.__name__
}
TESTS = [path for folder in ("core/tests", "plugins", "tests") for path in (ROOT / folder).rglob("test_*.py")]


def heading(hook: str) -> str:
    """The hook as its heading must show it: its exact signature."""
    return f"## `{hook}{inspect.signature(HOOKS[hook])}`".replace("'", "")


def section(hook: str) -> str:
    """What the page says below that heading."""
    return HOOKS_PAGE.read_text().partition(heading(hook) + "\n")[2].partition("\n## ")[0]


def records_of(hook: str) -> list[type[Any]]:
    """The record that a hook returns, and those that stand in its fields."""
    [name] = re.findall(r"Iterable\[(\w+)\]", str(inspect.signature(HOOKS[hook])))
    found = [getattr(records, name)]
    for one in found:
        kinds = " ".join(str(field.type) for field in dataclasses.fields(one))
        found += [kind for name, kind in vars(records).items() if _is_record(kind) and re.search(rf"\b{name}\b", kinds)]
    return found


def _is_record(kind: object) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == records.__name__


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_described_with_its_exact_signature(hook: str) -> None:
    assert heading(hook) in HOOKS_PAGE.read_text().splitlines()


def test_no_hook_is_described_that_is_not_there() -> None:
    described = re.findall(r"^## `(\w+)\(", HOOKS_PAGE.read_text(), re.MULTILINE)
    assert described == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_field_of_every_record_of_a_hook_is_explained(hook: str) -> None:
    tables = re.findall(r"^\| field \| meaning \|\n((?:\|.*\n)+)", section(hook), re.MULTILINE)
    explained = re.findall(r"^\| `(\w+)` \| \S", "".join(tables), re.MULTILINE)
    assert explained == [field.name for record in records_of(hook) for field in dataclasses.fields(record)]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test_of_its_name(hook: str) -> None:
    named = [path for path in TESTS if path != Path(__file__) and f"def test_{hook}_" in path.read_text()]
    assert named, f"no test is called test_{hook}_…"


def test_every_variable_about_plugins_is_described() -> None:
    text = (ROOT / "docs" / "plugins" / "publishing.md").read_text()
    assert [name for name in (DISABLE, STRICT, TRACE, TIMEOUT) if f"`{name}=" not in text] == []


@pytest.mark.parametrize(
    "contract", ["PluginContract", "ProviderContract", "AgentHandlerContract", "ToolSourceContract", "EngineContract"]
)
def test_everything_that_an_author_says_to_a_contract_is_described(contract: str) -> None:
    is_engine = contract == "EngineContract"
    text = (ROOT / "docs" / "plugins" / ("engines.md" if is_engine else "testing.md")).read_text()
    homes = getattr(llamafarm_universal.testing if is_engine else llamafarm_kit.testing, contract).__mro__
    said = {name for home in homes for name, kind in inspect.get_annotations(home).items() if "ClassVar" in str(kind)}
    assert said
    assert [name for name in sorted(said) if f"`{name}`" not in text] == []


def test_everything_that_an_engine_declares_and_tells_is_described() -> None:
    text = (ROOT / "docs" / "plugins" / "engines.md").read_text()

    def rows(heading: str) -> list[str]:
        return re.findall(r"^\| `(\w+)` \| ", text.partition(f"## {heading}")[2].partition("\n## ")[0], re.MULTILINE)

    fields = [field.name for field in dataclasses.fields(llamafarm_universal.engine.EngineSpec)]
    assert rows("What an engine declares") == fields
    told = {kind.__name__ for kind in get_args(llamafarm_universal.engine.Result)}
    assert {*rows("What a work goes through")} == told


PUBLIC_MODULES = ("errors", "http", "services", "web", "wire")


def test_every_name_for_plugins_is_explained_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| \w.+ \|$", (ROOT / "docs" / "plugins" / "names.md").read_text(), re.MULTILINE)
    modules = [importlib.import_module(f"llamafarm.{name}") for name in PUBLIC_MODULES]
    names = [name for module in (llamafarm, *modules) for name in module.__all__]
    assert sorted(rows) == sorted({*names} - {"__version__", *PUBLIC_MODULES})


def all_blocks(*languages: str) -> list[Any]:
    return [pytest.param(block, id=block.place) for page in PAGES for block in blocks(page, *languages)]


@pytest.mark.parametrize("block", all_blocks("python"))
def test_every_python_block_compiles_and_uses_names_that_exist(block: Block) -> None:
    text = re.sub(r"\A(class \w+:\n(?:    \w+: .*\n)+)\Z", "from __future__ import annotations\n\\1", block.text)
    tree = compile(text, block.place, "exec", ast.PyCF_ONLY_AST)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "llamafarm":
            module = importlib.import_module(str(node.module))
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "llamafarm":
            assert node.attr in llamafarm.__all__
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).removeprefix("llamafarm.") in PUBLIC_MODULES:
            assert node.attr in importlib.import_module(ast.unparse(node.value)).__all__


@pytest.mark.parametrize("block", all_blocks("toml"))
def test_every_toml_block_is_toml(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("yaml"))
def test_every_yaml_block_is_a_file_that_a_walk_loads(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)
    assert block.file is not None


@pytest.mark.parametrize("block", all_blocks("sh"))
def test_every_line_for_the_shell_can_be_read_by_one(block: Block) -> None:
    assert subprocess.run(["sh", "-n"], input=block.text, text=True, timeout=20).returncode == 0


def test_every_language_of_a_block_is_one_that_is_checked() -> None:
    known = {"console", "diff", "python", "sh", "toml", "yaml"}
    assert {block.language for page in PAGES for block in blocks(page)} <= known


def test_every_page_is_on_the_map_and_the_map_is_linked() -> None:
    readme = (ROOT / "docs" / "plugins" / "README.md").read_text()
    assert [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in readme] == []
    for document in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/plugins/README.md)" in (ROOT / document).read_text()


def test_what_is_generated_is_current() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"
