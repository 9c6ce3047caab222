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


def test_the_remedy_for_a_section_is_the_distribution_that_brings_it(from_an_index):
    assert catalogue.remedy("section", "rag") == "Install it: pip install llamafarm-rag"


def test_a_name_that_is_not_official_has_no_remedy():
    assert catalogue.remedy("provider", "acme") is None


def test_every_official_name_comes_with_a_distribution_that_is_here():
    wanted = [
        name
        for kind in ("provider", "agent handler", "section", "command")
        for name in catalogue._catalogue()[kind].values()
    ]
    assert {name.partition("[")[0] for name in wanted} <= catalogue._catalogue()["folders"].keys()


def test_every_folder_is_one_of_the_clone():
    for folders in catalogue._catalogue()["folders"].values():
        assert all((ROOT / folder / "pyproject.toml").is_file() for folder in folders)
