"""How each official distribution is had: from the clone that the core came from, else by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.plugins import catalogue

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clone(monkeypatch, tmp_path) -> Path:
    for folder in ("ollama", "universal", "openai_compat"):
        (tmp_path / "plugins" / folder).mkdir(parents=True)
    monkeypatch.setattr(catalogue, "_clone", lambda: tmp_path)
    return tmp_path


def test_what_came_from_an_index_is_completed_from_there(from_an_index):
    assert catalogue.pip_command("llamafarm-ollama") == "pip install llamafarm-ollama"
    assert catalogue.pip_command("llamafarm-universal[server]") == 'pip install "llamafarm-universal[server]"'


def test_what_came_from_a_clone_is_completed_from_that_clone_with_all_that_it_needs(clone):
    assert catalogue.pip_command("llamafarm-ollama") == f"pip install {clone}/plugins/ollama"
    assert catalogue.pip_command("llamafarm-universal[server]") == (
        f'pip install {clone}/plugins/openai_compat "{clone}/plugins/universal[server]"'
    )


def test_what_the_clone_does_not_hold_any_more_is_had_by_its_name(clone):
    assert catalogue.pip_command("llamafarm-lemonade") == "pip install llamafarm-lemonade"


def test_this_core_knows_where_it_came_from():
    assert catalogue._clone() == ROOT


def test_what_is_planned_names_no_command_that_cannot_work(from_an_index):
    assert catalogue.remedy("section", "rag") == "It comes with llamafarm-rag, which is not released yet"


def test_a_name_that_is_not_official_has_no_remedy():
    assert catalogue.remedy("provider", "acme") is None


def test_every_folder_is_one_of_the_clone():
    for folders in catalogue._catalogue()["folders"].values():
        assert all((ROOT / folder / "pyproject.toml").is_file() for folder in folders)
