"""A password in an address is shown by nothing that `lf` or the API says."""

from __future__ import annotations

import httpx
import pytest
from commands import Served

SECRET = "s3cr3t-word"
SCHEMES = {"openai": "http", "ollama": "http", "lemonade": "http", "universal": "https"}
"""Of each provider's address: LlamaFarm starts no runtime that speaks TLS."""
OF_ALL = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "start": ("start",),
    "models list": ("models", "list"),
    "models list --json": ("models", "list", "--json"),
    "models status": ("models", "status"),
    "doctor": ("doctor",),
    "config show": ("config", "show"),
    "config validate": ("config", "validate"),
}
OF_ONE = {
    "chat": ("chat", "Hi", "--model"),
    "models show": ("models", "show"),
    "models pull": ("models", "pull"),
    "models rm": ("models", "rm", "--yes"),
}


@pytest.fixture
def project(farm):
    """A model of each provider, at an address where nobody answers, with a user and a password in it."""
    entries = [
        f"{name}: {{provider: {name}, model: m, base_url: '{scheme}://ann:{SECRET}@127.0.0.1:9/v1'}}"
        for name, scheme in SCHEMES.items()
    ]
    farm.write(f"runtime: {{models: {{{', '.join(entries)}}}}}\n")
    return farm


@pytest.mark.parametrize("command", OF_ALL)
def test_no_command_about_all_models_shows_it(project, command):
    check(project.lf(*OF_ALL[command]))


@pytest.mark.parametrize("model", SCHEMES)
@pytest.mark.parametrize("command", OF_ONE)
def test_no_command_about_a_model_shows_it(project, command, model):
    check(project.lf(*OF_ONE[command], model))


def check(done):
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_api_does_not_show_it(project):
    with Served(project) as url:
        hello = [{"role": "user", "content": "Hi"}]
        answers = [httpx.get(url + path) for path in ("/health", "/v1/models", "/v1/models?status=true")]
        for model in SCHEMES:
            answers.append(httpx.post(f"{url}/v1/chat/completions", json={"model": model, "messages": hello}))
            answers.append(httpx.post(f"{url}/v1/models/pull", json={"model": model}))
    assert [answer.text for answer in answers if SECRET in answer.text] == []
