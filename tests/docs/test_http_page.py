"""The provider that the page http.md builds, as it stands there, keeps the contract of every provider."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from llamafarm import ProviderSpec, ServiceError
from llamafarm_kit.testing import Asked, Exchange, Peer, ProviderContract, Scene
from pages import blocks

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "http.md"
WORDS = "no, says the server"
LINES = {"content-type": "application/x-ndjson"}
MODELS = Exchange("GET", "/api/models", 200, {"content-type": "application/json"}, (b'{"models": ["tiny"]}',))
WHOLE = Exchange("POST", "/api/say", 200, LINES, (b'{"text": "Hello there.", "end": true}\n',))
PIECES = (b'{"text": "Hello"}\n{"te', b'xt": " there."}\n', b'{"end": true}')
STREAM = Exchange("POST", "/api/say", 200, LINES, PIECES, sent={"stream": True})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def page() -> ModuleType:
    """The module that the blocks of the page are."""
    module = ModuleType("acme_of_the_page")
    exec(compile("\n".join(block.text for block in blocks(PAGE, "python")), PAGE.name, "exec"), vars(module))
    return module


ACME = page()


async def echo(asked: Asked, peer: Peer) -> None:
    text = asked.body["messages"][-1]["content"]
    await Exchange.any(200, json.dumps({"text": text, "end": True}), "application/x-ndjson")(asked, peer)


def refusing(status: int, **headers: str) -> Exchange:
    return Exchange.any(status, json.dumps({"error": WORDS}), **headers)


class TestProviderOfThePage(ProviderContract):
    provider = "acme"
    base_path = ""
    model = "tiny"
    text = "Hello there."
    tokens = None
    words = WORDS
    scenes = {
        Scene.READY: [MODELS, STREAM, WHOLE],
        Scene.ECHO: echo,
        Scene.LENGTH: [MODELS, STREAM, WHOLE],
        Scene.TOOLS: [MODELS, STREAM, WHOLE],
        Scene.ENDLESS: [STREAM.held_after(1)],
        Scene.BROKEN: [STREAM.cut_after(1)],
        Scene.UNAUTHORIZED: refusing(401),
        Scene.FORBIDDEN: refusing(403),
        Scene.MODEL_MISSING: Exchange.any(404, json.dumps({"error": {"message": WORDS, "code": "model_not_found"}})),
        Scene.INVALID: refusing(400),
        Scene.TOO_LONG: Exchange.any(400, json.dumps({"error": {"message": WORDS, "code": "context_length_exceeded"}})),
        Scene.BUSY: refusing(429, retry_after="30"),
        Scene.FAILED: refusing(500),
        Scene.UNAVAILABLE: refusing(503),
    }

    @property
    def spec(self) -> ProviderSpec:
        [found] = ACME.register_providers()
        return found


def entry(**fields: Any) -> Any:
    return ACME.AcmeEntry(**{"name": "mine", "provider": "acme", "model": "tiny", **fields})


def test_the_service_of_the_page_says_that_its_program_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = ACME.service(entry()).spec.obstacle()
    assert isinstance(missing, ServiceError)
    assert "acme-server" in missing.message
    program = tmp_path / "acme-server"
    program.write_text(f"#!{sys.executable}\n")
    program.chmod(0o755)
    assert ACME.service(entry()).spec.obstacle() is None


def test_the_service_of_the_page_is_for_this_machine() -> None:
    assert ACME.service(entry(base_url="http://elsewhere:7070")) is None
    found = ACME.service(entry(base_url="http://localhost:7071/"))
    assert (found.name, found.spec.address) == ("acme:7071", "http://127.0.0.1:7071")
    assert found.spec.command() == ["acme-server", "--port", "7071"]


@pytest.mark.anyio
async def test_a_question_of_the_pages_provider_has_a_limit_and_an_id_of_its_own() -> None:
    now = asyncio.get_running_loop().time()
    first, second = (ACME.question(ACME.endpoint(entry()), "tiny", within=3) for _ in range(2))
    assert (first.entry.model, first.entry.provider) == ("tiny", "acme")
    assert first.deadline is not None and first.deadline >= now + 3
    assert first.request_id != second.request_id
