"""What `lf init` writes."""

from __future__ import annotations

import re

import pytest
import yaml
from llamafarm.config import init_text, write_example
from llamafarm.errors import ConfigError


def test_the_example_is_written_into_a_folder_that_is_made_for_it(tmp_path):
    written = write_example(tmp_path / "new" / "farm")
    assert written == tmp_path / "new" / "farm" / "llamafarm.yaml"
    assert written.read_text() == init_text()


def test_it_is_written_to_a_file_that_is_named(tmp_path):
    assert write_example(tmp_path / "mine.yaml").read_text() == init_text()


@pytest.mark.parametrize("existing", ["llamafarm.yaml", "llamafarm.yml", "llamafarm.json"])
def test_it_never_overwrites(tmp_path, existing):
    (tmp_path / existing).write_text("mine")
    with pytest.raises(ConfigError, match="exists already; nothing was written"):
        write_example(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(existing, "mine")]


def test_it_does_not_follow_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "llamafarm.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists already"):
        write_example(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_the_commented_entries_are_right_too():
    entries = yaml.safe_load(re.sub(r"^    # (?=[- ] )", "    ", init_text(), flags=re.MULTILINE))["runtime"]["models"]
    assert [entry["provider"] for entry in entries] == ["universal", "universal", "ollama", "openai"]
    assert all(entry["model"] for entry in entries)
