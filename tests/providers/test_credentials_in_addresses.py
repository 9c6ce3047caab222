"""A user and a password in `base_url` reach the server as credentials, through all four providers."""

from __future__ import annotations

import base64

import httpx
import pytest
from llamafarm_kit.testing import ScriptedUpstream, answering
from upstreams import MODEL, api, project

PROVIDERS = ["ollama", "lemonade", "openai", "universal"]
PASSWORD = "pass-w0rd"
BASIC = f"Basic {base64.b64encode(f'ann:{PASSWORD}'.encode()).decode()}"
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.anyio
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [404, 500], ids=["refused", "failed"])
async def test_they_reach_the_server_and_no_error_tells_them(provider, status, tmp_path):
    async with ScriptedUpstream(answering({"nothing": "here"}, status)) as upstream:
        address = f"http://ann:{PASSWORD}@localhost:{upstream.port}/v1"
        with api(project(provider, "m", address), tmp_path) as root:
            async with httpx.AsyncClient(base_url=root, timeout=30) as client:
                answer = await client.post("chat/completions", json=ASKED)
    assert answer.status_code >= 400
    assert PASSWORD not in answer.text
    assert {asked.headers.get("authorization") for asked in upstream.requests} == {BASIC}
