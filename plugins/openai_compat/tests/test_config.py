"""Where an entry leads, and which key goes there."""

from __future__ import annotations

import pytest
from llamafarm_openai_compat.config import endpoint
from openai_asking import entry_at

KEYS = {"OPENAI_API_KEY": "sk-openai", "TOGETHER_API_KEY": "sk-together", "ANTHROPIC_API_KEY": "sk-anthropic"}


@pytest.mark.parametrize(
    "base_url, key",
    [
        (None, "sk-openai"),
        ("https://api.openai.com", "sk-openai"),
        ("https://api.together.ai/v1", "sk-together"),
        ("https://api.together.xyz/v1", "sk-together"),
        ("https://api.anthropic.com/v1/", "sk-anthropic"),
        ("http://api.openai.com/v1", None),
        ("https://api.openai.com.evil.example/v1", None),
        ("https://api.openai.com@evil.example/v1", None),
        ("https://api.openai.com:8443/v1", None),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_a_key_of_the_environment_goes_to_its_own_service_only(base_url, key):
    assert endpoint(entry_at(base_url), KEYS).api_key == key


@pytest.mark.parametrize("profile", ["openai", "together", "anthropic", "vllm"])
def test_naming_a_profile_sends_no_key_anywhere(profile):
    assert endpoint(entry_at("http://127.0.0.1:8080", profile=profile), KEYS).api_key is None


def test_the_entrys_own_key_wins():
    assert endpoint(entry_at(None, api_key="sk-own"), KEYS).api_key == "sk-own"
    assert endpoint(entry_at("http://h", api_key="sk-own"), {}).api_key == "sk-own"


@pytest.mark.parametrize(
    "written, meant",
    [
        ("http://localhost:1234", "http://localhost:1234/v1"),
        ("http://localhost:1234/", "http://localhost:1234/v1"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
        ("http://host/custom/api", "http://host/custom/api"),
    ],
)
def test_v1_is_added_only_where_the_path_is_empty(written, meant):
    assert endpoint(entry_at(written)).base_url == meant


@pytest.mark.parametrize("written", ["localhost:1234", "ftp://host", "http://", "http://host:port", "http://h/v1?x=1"])
def test_a_base_url_that_is_no_address_is_refused_with_the_entry(written):
    with pytest.raises(ValueError):
        entry_at(written)
