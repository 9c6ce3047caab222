"""The `.env` file."""

from __future__ import annotations

import pytest
from llamafarm.config.dotenv import read_dotenv
from llamafarm.project import BrokenEntry

PEM = "KEY=-----BEGIN PRIVATE KEY-----\nMIIabc+/def==\nxyz\n-----END PRIVATE KEY-----"
FOREIGN = [PEM, "BARE", "a.dotted.name=1", "IT='it'\\''s'", "1K=v", "= v", "OPEN='sk-secret", "L\udce4=1", "- ]["]


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
        ("K=v#1", "v#1"),
        ("K='a # b' # comment", "a # b"),
        ("K='a\\n'", "a\\n"),
        ('K="a\\nb\\"c"', 'a\nb"c'),
        ('K="two\nlines"', "two\nlines"),
        ("K=${OTHER}", "${OTHER}"),
    ],
)
def test_a_value_is_what_stands_there_and_nothing_is_filled_in(tmp_path, line, value):
    (tmp_path / ".env").write_text(f"# a comment\n\n{line}\r\n")
    assert read_dotenv(tmp_path / ".env").values == {"K": value}


def test_a_file_that_is_not_there_has_no_variables(tmp_path):
    assert read_dotenv(tmp_path / ".env").values == {}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_line_is_passed_over(load, folder, foreign):
    text = f"{foreign}\nMODEL=qwen\n"
    (folder / ".env").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert load("runtime: {models: [{name: a, provider: cow, model: '${MODEL}'}]}").entry("a").model == "qwen"


@pytest.mark.parametrize("line", ["OPEN='sk-secret", "OPEN='it'\\''s'"])
def test_a_wrong_line_of_a_variable_that_is_used_is_told_and_not_shown(refused, folder, line):
    (folder / ".env").write_text(f"A=1\n{line}\n")
    (told,) = refused("runtime: {models: [{name: a, provider: cow, model: m, api_key: '${OPEN}'}]}")
    assert told.endswith("api_key: the variable OPEN cannot be read (.env:2); is a quote not closed?")


def test_what_the_environment_has_is_not_looked_for_in_the_file(load, folder):
    (folder / ".env").write_text("OPEN='sk-secret\n")
    assert load("runtime: {models: [{name: a, provider: cow, model: '${OPEN}'}]}", OPEN="m").entry("a").model == "m"


def test_a_bare_name_sets_no_variable(load, folder):
    (folder / ".env").write_text("BARE\n")
    broken = load("runtime: {models: [{name: a, provider: cow, model: '${BARE}'}]}").models[0]
    assert isinstance(broken, BrokenEntry)


@pytest.mark.parametrize("value", ["sk-key\n", "sk-key\r\n", "sk-key"])
def test_the_line_end_of_a_secret_file_is_no_part_of_a_key(load, value):
    project = load("runtime: {models: [{name: a, provider: cow, model: m, api_key: '${KEY}'}]}", KEY=value)
    assert project.entry("a").api_key.get_secret_value() == "sk-key"
