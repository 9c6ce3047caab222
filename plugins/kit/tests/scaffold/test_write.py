"""Templates are filled in and written into a folder that holds nothing yet."""

from __future__ import annotations

import tomllib

import pytest
from llamafarm.errors import UsageError
from llamafarm.version import VERSION
from llamafarm_kit.scaffold.names import LONGEST, named
from llamafarm_kit.scaffold.write import filled_in, plugin_files, write_plugin

ALWAYS = {
    ".gitignore",
    "LICENSE",
    "README.md",
    "llamafarm.yaml",
    "pyproject.toml",
    "src/llamafarm_acme/__init__.py",
    "src/llamafarm_acme/plugin.py",
    "src/llamafarm_acme/py.typed",
    "tests/test_contract.py",
}
PROVIDER = {"src/llamafarm_acme/config.py", "src/llamafarm_acme/provider.py"}
HANDLER = {"src/llamafarm_acme/options.py", "src/llamafarm_acme/handler.py"}

each_kind = pytest.mark.parametrize(
    ("parts", "files"),
    [
        (["provider"], ALWAYS | PROVIDER),
        (["handler"], ALWAYS | HANDLER),
        (["provider", "handler"], ALWAYS | PROVIDER | HANDLER),
    ],
    ids=["provider", "handler", "both"],
)


@each_kind
def test_each_kind_has_its_files_and_no_other(parts, files):
    assert set(plugin_files(named("acme"), parts)) == files


@each_kind
def test_all_that_is_written_is_what_the_folder_holds(parts, files, tmp_path):
    written = write_plugin(named("acme"), parts, tmp_path / "new" / "acme")
    found = {path.relative_to(tmp_path / "new" / "acme").as_posix() for path in written}
    assert found == files
    assert all(path.is_file() for path in written)


@each_kind
def test_every_python_file_compiles_whatever_the_name_is(parts, files):
    for name in ("a", "acme-server-2", "a" * LONGEST):
        for path, text in plugin_files(named(name), parts).items():
            if path.endswith(".py"):
                compile(text, path, "exec")
                assert max(map(len, text.splitlines())) <= 120


def test_the_distribution_requires_this_core_or_a_later_one_and_names_its_plugin():
    project = tomllib.loads(plugin_files(named("acme-server"), ["provider"])["pyproject.toml"])["project"]
    assert project["name"] == "llamafarm-acme-server"
    assert f"llamafarm>={VERSION}" in project["dependencies"]
    assert project["optional-dependencies"]["test"] == ["llamafarm-kit", "pytest"]
    assert project["entry-points"] == {"llamafarm.plugins": {"acme-server": "llamafarm_acme_server.plugin"}}


def test_lines_are_for_those_that_the_line_above_names():
    template = "first\n%% provider\nof $name\n%% handler alone\nnever\n%% always\nlast\n"
    assert filled_in(template, {"always", "provider"}, {"name": "acme"}) == "first\nof acme\nlast\n"


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path):
    for name in ("notes.txt", "b", "c", "d"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError) as raised:
        write_plugin(named("acme"), ["provider"], tmp_path)
    assert "is not empty (it holds b, c, d, …); nothing was written." in raised.value.message
    assert "--path DIR" in raised.value.hint
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ["notes.txt", "b", "c", "d"], "mine"
    )


def test_a_file_in_the_place_of_the_folder_is_left_as_it_is(tmp_path):
    (tmp_path / "acme").write_text("mine")
    with pytest.raises(UsageError) as raised:
        write_plugin(named("acme"), ["handler"], tmp_path / "acme")
    assert "is a file; nothing was written." in raised.value.message
    assert (tmp_path / "acme").read_text() == "mine"
