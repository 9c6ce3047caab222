"""Where an Ollama server is: OLLAMA_HOST and `base_url` in all their forms."""

from __future__ import annotations

import pytest
from llamafarm import ConfigError
from llamafarm_ollama.address import of_environment, place
from llamafarm_ollama.config import OllamaEntry, endpoint
from pydantic import ValidationError


def entry(**fields):
    return OllamaEntry(**{"name": "local", "provider": "ollama", "model": "tiny", **fields})


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8080", "http://gpu-box:8080"),
        (":8080", "http://127.0.0.1:8080"),
        (" '10.0.0.7' ", "http://10.0.0.7:11434"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box", "https://gpu-box:443"),
        ("https://gpu-box:8443/", "https://gpu-box:8443"),
        ("https://gpu-box/ollama/", "https://gpu-box:443/ollama"),
        ("gpu-box/ollama", "http://gpu-box:11434/ollama"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[2001:db8::7]:8080", "http://[2001:db8::7]:8080"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_ollama_host_names_an_address_in_all_its_forms(said, url):
    assert of_environment({"OLLAMA_HOST": said}) == url


@pytest.mark.parametrize("said", ["gpu-box:many", "gpu-box:70000", "gpu-box:0", "tcp://gpu-box", "http://box:x/y"])
def test_a_wrong_ollama_host_is_an_error_that_names_it(said):
    with pytest.raises(ConfigError, match="OLLAMA_HOST") as caught:
        of_environment({"OLLAMA_HOST": said})
    assert said in caught.value.message


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/api"])
def test_the_path_of_a_wire_is_left_out_of_a_base_url(path):
    assert entry(base_url=f"http://localhost:11434{path}").base_url == "http://localhost:11434"


def test_a_base_url_wins_over_ollama_host():
    found = endpoint(entry(base_url="http://gpu-box:1234/proxy"), {"OLLAMA_HOST": "other"})
    assert found.base_url == "http://gpu-box:1234/proxy"


def test_localhost_is_where_the_server_of_this_machine_listens():
    assert place("http://localhost:11434") == ("127.0.0.1", 11434)


def test_the_key_of_the_environment_is_sent_to_ollama_com_alone():
    environ = {"OLLAMA_API_KEY": "secret"}
    assert endpoint(entry(base_url="https://ollama.com/api"), environ).api_key == "secret"
    assert endpoint(entry(), {**environ, "OLLAMA_HOST": "ollama.com"}).api_key == "secret"
    assert endpoint(entry(base_url="http://ollama.com"), environ).api_key is None
    assert endpoint(entry(), environ).api_key is None


@pytest.mark.parametrize(
    "fields",
    [{"options": {"num_ctxt": 1}}, {"options": {"num_ctx": "many"}}, {"keep_alive": "soon"}],
)
def test_an_option_that_ollama_would_ignore_or_refuse_is_an_error_of_the_configuration(fields):
    with pytest.raises(ValidationError):
        entry(**fields)


@pytest.mark.parametrize("alive", [0, -1, "0", "10m", "1h30m", "-1m", "1.5h", "250ms"])
def test_keep_alive_is_seconds_or_a_duration(alive):
    assert entry(keep_alive=alive).keep_alive == alive
