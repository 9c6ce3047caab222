"""How a base URL is read, and which of them are this machine."""

from __future__ import annotations

import pytest
from llamafarm.providers.address import is_loopback, normalised
from llamafarm.providers.proxies import proxy_of


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


def test_the_proxy_is_the_one_of_the_environment_and_no_proxy_is_respected(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_of("https://api.openai.com/v1") is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "internal.example")
    assert proxy_of("https://api.openai.com/v1") == "http://proxy.example:3128"
    assert proxy_of("https://internal.example/v1") is None
    assert proxy_of("http://api.openai.com/v1") is None
