"""The `.env` file."""

from __future__ import annotations

import pytest
from llamafarm.config.dotenv import read_dotenv
from llamafarm.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=v", "v"),
        ("export K=v", "v"),
        ("  K = v  ", "v"),
        ("K=", ""),
        ("K=a b", "a b"),
        ("K=a=b", "a=b"),
        ("K=v # comment", "v"),
        ("K=# comment", ""),
        ("K=v#1", "v#1"),
        ("K='a # b' # comment", "a # b"),
        ("K='a\\n'", "a\\n"),
        ('K="a\\nb\\"c"', 'a\nb"c'),
        ("K=${OTHER}", "${OTHER}"),
    ],
)
def test_a_line_is_read_as_shells_would_read_it(tmp_path, line, value):
    (tmp_path / ".env").write_text(f"# a comment\n\n{line}\r\n")
    assert read_dotenv(tmp_path / ".env") == {"K": value}


def test_a_file_that_is_not_there_has_no_variables(tmp_path):
    assert read_dotenv(tmp_path / ".env") == {}


@pytest.mark.parametrize("line", ["sk-secret", "1K=v", "K='sk-secret", 'K="sk-secret'])
def test_a_wrong_line_is_told_by_its_number_and_not_shown(tmp_path, line):
    (tmp_path / ".env").write_text(f"A=1\n{line}\n")
    with pytest.raises(ConfigError, match=r"\.env:2: this is not a `KEY=value` line") as caught:
        read_dotenv(tmp_path / ".env")
    assert "sk-secret" not in str(caught.value)
