"""A password in an address is shown by nothing that `lf` or the API says."""

from __future__ import annotations

import httpx
import pytest
from commands import Served

SECRET = "s3cr3t-word"
PROVIDERS = ("openai", "ollama", "lemonade", "universal")
COMMANDS = {
    "chat": ("chat", "Hi"),
    "status": ("status",),
    "status --json": ("status", "--json"),
    "start": ("start",),
    "models list": ("models", "list"),
    "models list --json": ("models", "list", "--json"),
    "models status": ("models", "status"),
    "models show": ("models", "show", "one"),
    "models pull": ("models", "pull", "one"),
    "models rm": ("models", "rm", "one", "--yes"),
    "doctor": ("doctor",),
    "config show": ("config", "show"),
    "config validate": ("config", "validate"),
}


@pytest.fixture(params=PROVIDERS)
def project(request, farm):
    """One model at an address where nobody answers, with a user and a password in it."""
    scheme = "https" if request.param == "universal" else "http"  # LlamaFarm starts no runtime that speaks TLS
    url = f"{scheme}://ann:{SECRET}@127.0.0.1:9/v1"
    farm.write(f"runtime: {{models: {{one: {{provider: {request.param}, model: m, base_url: '{url}'}}}}}}\n")
    return farm


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_shows_it(project, command):
    done = project.lf(*COMMANDS[command])

    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_api_does_not_show_it(project):
    with Served(project) as url:
        asked = {"model": "one", "messages": [{"role": "user", "content": "Hi"}]}
        answers = [
            httpx.post(f"{url}/v1/chat/completions", json=asked),
            *(httpx.get(url + path) for path in ("/health", "/v1/models", "/v1/models?status=true")),
            httpx.post(f"{url}/v1/models/pull", json={"model": "one"}),
        ]
    assert [answer.text for answer in answers if SECRET in answer.text] == []
