"""The fake Ollama says what the real one said: it is asked each recorded request, and its answer is compared.

Compared are the status, the media type, errors word for word but for numbers, and the shape of the first and the last
line; durations are there or not, since zeros are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from llamafarm_kit.testing import ScriptedUpstream
from ollama_asking import RECORDINGS
from ollama_fake import FakeOllama
from ollama_models import MODELS

pytestmark = pytest.mark.anyio
NOT_PLAYED = {
    "cloud-model": "a cloud that is out of reach",
    "embed-load-fails": "weights that cannot be loaded",
    "generate-runner-killed-mid-stream": "a child that dies",
    "option-unknown": "options that are ignored without a word: the fake refuses them",
    "pull-offline-stream": "a registry that is out of reach",
    "pull-cut-by-client": "a client that goes",
    "queue-full": "a queue",
    "rendered-format-json-think-false": "an answer that repeats itself",
    "rendered-format-json-think-false-stream": "an answer that repeats itself",
    "runner-killed-mid-stream": "a child that dies",
    "runner-killed-not-streamed": "a child that dies",
}
PLAYED = sorted({path.stem for path in RECORDINGS.glob("*.json")} - NOT_PLAYED.keys())


@pytest.mark.parametrize("name", PLAYED)
async def test_the_fake_answers_as_the_real_one_did(name: str) -> None:
    real = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    text = "".join(piece["text"] for piece in real["pieces"])
    async with ScriptedUpstream(fake_for(name, text)) as upstream:
        answer = await ask(upstream.port, real["request"])
    assert (answer.status_code, media_type(answer.headers)) == (real["status"], media_type(real["headers"]))
    if real["status"] >= 400:
        assert re.sub(r"\d+", "N", answer.text.rstrip()) == re.sub(r"\d+", "N", text)
    else:
        found, wanted = lines(answer.text), lines(text)
        assert [*map(shape, found[:1] + found[-1:])] == [*map(shape, wanted[:1] + wanted[-1:])]


def fake_for(name: str, said: str) -> FakeOllama:
    """A fake that does what the model did, and has what the server had."""
    before = "" if "tool_calls" in said.partition("\n")[0] else "I will."
    fake = FakeOllama(
        before if "tool_calls" in said else "Hello there.",
        thought="Hm." if "thinking" in said and name.startswith("think") else "",
        calls="tool_calls" in said,
    )
    fake.models["tiny-copy:latest"] = MODELS["tiny:latest"]
    fake.loaded = {"tiny:latest": 512} if name == "ps-after-num-ctx" else {}
    return fake


async def ask(port: int, request: dict[str, Any]) -> httpx.Response:
    body = request.get("content") if "json" not in request else json.dumps(request["json"])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.request(request["method"], request["path"], content=body, headers=request.get("headers"))


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0]


def lines(text: str) -> list[Any]:
    return [json.loads(one) if one.startswith("{") else one for one in text.splitlines() if one.strip()]


def shape(value: Any, name: str = "") -> Any:
    """The names and types that a value consists of; of a list, its first item."""
    if name in ("arguments", "model_info"):
        return "object"
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if not key.endswith("_duration") and key != "tensors"}
        return {key: shape(one, key) for key, one in sorted(kept.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
