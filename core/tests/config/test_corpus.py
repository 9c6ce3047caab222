"""The JSON Schema and the loader agree, also about what third-party plugins add."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from llamafarm.config import load_project
from llamafarm.config.document import read
from llamafarm.config.json_schema import schema
from llamafarm.errors import ConfigError
from llamafarm.project import BrokenEntry

CORPUS = Path(__file__).parent / "corpus"
VARIABLES = {"SET": "something", "NUMBER": "3"}


def files(folder: str):
    return [pytest.param(path, id=path.stem) for path in sorted((CORPUS / folder).glob("*.yaml"))]


def the_loader_accepts(path: Path, plugins) -> bool:
    try:
        project = load_project(path, plugins, environ=VARIABLES)
    except ConfigError:
        return False
    return not any(isinstance(entry, BrokenEntry) for entry in project.models)


@pytest.fixture
def the_schema_accepts(plugins):
    validator = Draft202012Validator(schema(plugins))
    return lambda path: validator.is_valid(read(path).data)


def test_the_schema_is_one(plugins):
    Draft202012Validator.check_schema(schema(plugins))


@pytest.mark.parametrize("path", files("good"))
def test_both_accept_what_is_right(path, plugins, the_schema_accepts):
    load_project(path, plugins, environ=VARIABLES)
    assert the_loader_accepts(path, plugins)
    assert the_schema_accepts(path)


@pytest.mark.parametrize("path", files("bad"))
def test_both_refuse_what_is_wrong(path, plugins, the_schema_accepts):
    assert not the_loader_accepts(path, plugins)
    assert not the_schema_accepts(path)


@pytest.mark.parametrize("path", files("loader_only"))
def test_the_loader_alone_refuses_what_a_schema_cannot_know(path, plugins, the_schema_accepts):
    assert not the_loader_accepts(path, plugins)
    assert the_schema_accepts(path)


def test_the_schema_of_the_core_alone_allows_no_provider(folder):
    from llamafarm.plugins.manager import PluginManager

    from_core = schema(PluginManager(environ={}, disabled=["openai", "universal", "ollama", "lemonade", "rag"]))
    validator = Draft202012Validator(from_core)
    assert validator.is_valid({"name": "farm"})
    assert not validator.is_valid({"runtime": {"models": [{"name": "a", "provider": "cow", "model": "m"}]}})


def test_the_schema_describes_what_it_asks_for(plugins):
    found = schema(plugins)
    assert found["$defs"]["entry.cow"]["description"] == "made for a test"
    assert found["$defs"]["Doors"]["properties"]["doors"]["description"] == "How many."
