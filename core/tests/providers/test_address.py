"""How a base URL is read, and which of them are this machine."""

from __future__ import annotations

import pytest
from llamafarm.providers.address import is_loopback, normalised


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1", "http://127.1.2.3:80", "http://[::1]:9/v1", "http://a.localhost"]
)
def test_loopback_addresses(url):
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["http://192.168.0.1", "http://localhost.example", "https://a.b", "nonsense"])
def test_other_addresses(url):
    assert not is_loopback(url)


def test_a_path_is_added_only_where_there_is_none():
    assert normalised(" http://h:1/ ", path="/v1") == "http://h:1/v1"
    assert normalised("http://h:1/api/", path="/v1") == "http://h:1/api"
    assert normalised("http://h:1/") == "http://h:1"
