"""Addresses as people may see them."""

from __future__ import annotations

import pytest
from llamafarm.providers.base import Endpoint, shown


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://ann:secret@host:80/v1", "http://host:80/v1"),
        ("https://token@host", "https://host"),
        ("http://ann:p@ss@host/v1", "http://host/v1"),
        ("http://ann:p#s?s@host/v1", "http://host/v1"),
        ("http://host/models/a@b", "http://host/models/a@b"),
        ("http://host", "http://host"),
    ],
)
def test_the_user_and_the_password_are_left_out(url, seen):
    assert shown(url) == seen
    assert Endpoint("acme", url).address == seen


@pytest.mark.parametrize(("given", "key"), [("k\n", "k"), ("k", "k"), ("\n", None), ("", None), (None, None)])
def test_the_line_end_of_a_file_with_the_key_is_no_part_of_it(given, key):
    assert Endpoint("acme", "http://host", given).api_key == key
