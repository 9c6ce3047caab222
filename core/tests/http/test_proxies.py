"""Which address has which proxy; that it is really used, and what goes wrong with it, the provider `openai` shows."""

from __future__ import annotations

import pytest
from llamafarm.errors import ConfigError
from llamafarm.http.proxies import Proxy, proxy_of

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environ(monkeypatch):
    for name in (*NAMES, *map(str.upper, NAMES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "http://ann:secret@proxy.example:3128")


@pytest.mark.parametrize(
    "url, without",
    [
        ("http://10.1.2.3:8000/v1", "10.0.0.0/8"),
        ("http://10.1.2.3/v1", "172.16.0.0/12, 10.1.2.9/24"),
        ("http://10.1.2.3/v1", "10.1.2.3"),
        ("http://[fd00::1]/v1", "fd00::1"),
        ("http://[fd00::1]:8000/v1", "fd00::/8"),
        ("https://models.example.com/v1", "*.example.com"),
        ("https://models.example.com/v1", ".example.com"),
        ("https://models.example.com/v1", "models.example.com:443"),
        ("http://models.example.com/v1", "MODELS.example.com:80"),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_hosts_that_need_none_may_be_written_in_every_usual_form(monkeypatch, variable, url, without):
    monkeypatch.setenv(variable, without)
    assert proxy_of(url) is None


@pytest.mark.parametrize(
    "url, without",
    [
        ("http://11.1.2.3/v1", "10.0.0.0/8"),
        ("http://10.1.2.3/v1", "fd00::/8, nonsense/8, /, 10.0.0.0/99"),
        ("https://example.com/v1", "*.example.com"),
        ("https://notexample.com/v1", "*.example.com,example.com"),
        ("https://models.example.com/v1", "models.example.com:80"),
        ("https://models.example.com/v1", ""),
    ],
)
def test_others_have_one(monkeypatch, url, without):
    monkeypatch.setenv("NO_PROXY", without)
    assert proxy_of(url) is not None


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1", "https://127.0.0.1", "http://127.8.9.1:80/v1", "http://[::1]:8000", "http://a.localhost"],
)
def test_this_machine_has_none(url):
    assert proxy_of(url) is None


def test_the_variable_of_the_scheme_wins_and_is_named(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://other.example:1")
    assert proxy_of("https://models.example") == Proxy("http://other.example:1", "HTTPS_PROXY")
    assert proxy_of("http://models.example") == Proxy("http://ann:secret@proxy.example:3128", "ALL_PROXY")


def test_a_scheme_may_be_left_out(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert proxy_of("https://models.example") == Proxy("http://proxy.example:3128", "HTTPS_PROXY")


def test_without_a_variable_there_is_none(monkeypatch):
    monkeypatch.delenv("ALL_PROXY")
    assert proxy_of("https://models.example") is None


def test_what_is_shown_of_it_holds_no_credentials():
    proxy = proxy_of("http://models.example")
    assert proxy.shown == "http://proxy.example:3128"
    assert "secret" not in repr(proxy)
    assert Proxy("http://ann:p@ss@proxy.example:1", "x").shown == "http://proxy.example:1"


def test_a_socks_proxy_without_its_library_is_an_error_that_says_how_it_comes(monkeypatch):
    monkeypatch.setattr("llamafarm.http.proxies.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="a SOCKS proxy, for which a library is missing") as caught:
        Proxy("socks5://ann:secret@proxy.example:1080", "ALL_PROXY").check()
    assert 'pip install "llamafarm[socks]"' in (caught.value.hint or "")
    assert "secret" not in str(caught.value)


def test_what_cannot_be_said_to_a_socks_proxy_is_an_error_before_it_is_asked():
    with pytest.raises(ConfigError, match="a password that is not ASCII"):
        Proxy("socks5://ann:gr%C3%BCn@proxy.example", "ALL_PROXY").check()
