"""Addresses of servers: how they are written, and where they lead."""

from __future__ import annotations

import base64

import pytest
from llamafarm.http.address import credentials_of, host_and_port, is_loopback, normalize_base_url


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://host/api/v1", "https://host/api/v1"),
        ("https://host/openai", "https://host/openai"),
    ],
)
def test_the_version_is_added_only_where_the_path_is_empty(written, read):
    assert normalize_base_url(written) == read


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host?x=1", "http://host:port"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError):
        normalize_base_url(url)


def test_an_address_leads_to_a_host_and_a_port():
    assert host_and_port("http://LocalHost/v1") == ("localhost", 80)
    assert host_and_port("https://host:8443") == ("host", 8443)
    assert host_and_port("http://[::1]:8000/v1") == ("::1", 8000)


def test_another_path_can_be_the_one_that_is_added():
    assert normalize_base_url(" http://h:1/ ", path="") == "http://h:1"
    assert normalize_base_url("http://h:1/api/", path="/v2") == "http://h:1/api"


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1", "http://127.1.2.3:80", "http://[::1]:9/v1", "http://a.localhost"]
)
def test_loopback_addresses(url):
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["http://192.168.0.1", "http://localhost.example", "https://a.b", "nonsense"])
def test_other_addresses(url):
    assert not is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://ann:secret@host:99999999/v1",
        "http://ann:sec/ret@host/v1",
        "http://ann:secret@host/v1?x",
        "ftp://a:secret@host",
    ],
)
def test_what_is_no_address_is_told_without_its_password(url):
    with pytest.raises(ValueError, match=r"is not an address|must end") as caught:
        normalize_base_url(url)
    assert "ret" not in str(caught.value)


def test_user_and_password_are_kept_and_become_credentials():
    url = normalize_base_url("http://ann:p%40ss@host/v1/")
    assert url == "http://ann:p%40ss@host/v1"
    assert credentials_of(url) == f"Basic {base64.b64encode(b'ann:p@ss').decode()}"
    assert credentials_of("http://host/v1") is None
