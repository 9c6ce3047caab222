"""Which file is found, and where things lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from llamafarm.config import find_config
from llamafarm.paths import data_dir


@pytest.mark.parametrize("name", ["llamafarm.yaml", "llamafarm.yml", "llamafarm.json"])
def test_the_file_is_found_here_or_above(folder, name):
    (folder / name).touch()
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    assert find_config(folder) == folder / name
    assert find_config(below) == folder / name


def test_the_nearest_one_wins_and_yaml_before_json(folder):
    (folder / "a").mkdir()
    (folder / "llamafarm.yaml").touch()
    (folder / "a" / "llamafarm.json").touch()
    (folder / "a" / "llamafarm.yml").touch()
    assert find_config(folder / "a") == folder / "a" / "llamafarm.yml"


def test_there_may_be_none(folder):
    assert find_config(folder) is None


def test_the_data_directory_is_in_the_home_directory_or_where_the_environment_says(folder):
    assert data_dir({}) == Path.home() / ".llamafarm"
    assert data_dir({"LF_DATA_DIR": "data"}) == folder / "data"
