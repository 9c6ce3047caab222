"""The documented `runtime:` blocks, each entry asked through the gateway: what reaches which server.

The blocks are data in `tests/config/documented`. Each port that one names is replaced by that of a fake, which plays
the runtime that the document means there; nothing else is changed, but that the section `rag` is left out, which has a
plugin of its own. Ollama's entries name no address: OLLAMA_HOST leads to its fake.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from lemonade_server import LemonadeServer, Model
from llamafarm.config import load_project
from llamafarm.errors import OperationNotSupported
from llamafarm.gateway import Context, Gateway
from llamafarm.project import Project
from llamafarm.providers.base import operations
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire import sse
from llamafarm.wire.operations import CHAT, EMBEDDINGS, IMAGES, Operation
from llamafarm_kit.testing import Asked, OpenAIScenes, Peer, Scene, Script, ScriptedUpstream
from ollama_fake import FakeOllama
from ollama_models import FakeModel
from upstreams import PLUGINS
from waiting import ALIVE

pytestmark = pytest.mark.anyio
DOCUMENTED = Path(__file__).parents[1] / "config" / "documented"
OLLAMA = 11434
REQUESTS: Mapping[Operation, Mapping[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    EMBEDDINGS: {"input": "Hi"},
    IMAGES: {"prompt": "A llama."},
}
CHATS, LOADS = "/v1/chat/completions", "/v1/models/load"
PHI, QWEN = "microsoft/phi-2", "Qwen/Qwen2.5-0.5B-Instruct"
MINILM, NOMIC = "sentence-transformers/all-MiniLM-L6-v2", "nomic-ai/nomic-embed-text-v1.5"
DIFFUSION = "stabilityai/stable-diffusion-2-1"
DRAWN = {"steps": 30, "guidance_scale": 7.5, "size": "512x512", "scheduler": "euler"}
Sent = tuple[int, str, Mapping[str, Any]]

EXPECTED: Mapping[str, list[Sent]] = {
    "1_several_models": [
        (OLLAMA, "/api/chat", {"model": "gemma3:1b", "truncate": False}),
        (OLLAMA, "/api/chat", {"model": "qwen3:8b", "truncate": False}),
    ],
    "2_vllm": [(8000, CHATS, {"model": "mistral-small"})],
    "3_lemonade": [
        (11534, "/v1/load", {"model_name": "user.Qwen3-4B", "ctx_size": 32768}),
        (11534, CHATS, {"model": "user.Qwen3-4B", "ctx_size": 32768}),
    ],
    "4_two_lemonades": [
        (11534, CHATS, {"model": "user.Qwen3-0.6B"}),
        (11535, CHATS, {"model": "user.Qwen3-8B"}),
    ],
    "5_universal": [
        (11540, LOADS, {"id": PHI, "settings": {"trust_remote_code": True, "model_type": "text"}}),
        (11540, CHATS, {"model": PHI}),
    ],
    "6_universal_models": [
        (11540, LOADS, {"id": QWEN, "settings": {}}),
        (11540, CHATS, {"model": QWEN}),
        (11540, LOADS, {"id": PHI, "settings": {}}),
        (11540, CHATS, {"model": PHI}),
        (11540, LOADS, {"id": MINILM, "settings": {"model_type": "embedding"}}),
        (11540, "/v1/embeddings", {"model": MINILM}),
        (11540, LOADS, {"id": DIFFUSION, "settings": {"model_type": "image"}}),
        (11540, "/v1/images/generations", {"model": DIFFUSION, **DRAWN}),
    ],
    "7_rag": [
        (11540, LOADS, {"id": PHI, "settings": {}}),
        (11540, CHATS, {"model": PHI}),
        (11540, LOADS, {"id": NOMIC, "settings": {"model_type": "embedding"}}),
        (11540, "/v1/embeddings", {"model": NOMIC}),
    ],
}
"""What must be sent for each block, in order: to which of its ports, to which path, and the fields that matter."""


def fake(port: int) -> Script:
    """The runtime that the documents mean at a port."""
    if port == OLLAMA:
        ollama = FakeOllama()
        ollama.models.update({"gemma3:1b": FakeModel(("completion",)), "qwen3:8b": FakeModel(("completion",))})
        return ollama
    if port in (11534, 11535):
        return LemonadeServer(models={name: Model(context=40960) for name in ("Qwen3-4B", "Qwen3-0.6B", "Qwen3-8B")})
    return _openai


async def _openai(asked: Asked, peer: Peer) -> None:
    """vLLM, or the Universal Runtime, which has a health and loads models too."""
    if asked.path == LOADS:
        told = {"model": asked.body["id"], "id": asked.body["id"], "device": "cpu"}
        await peer.stream(sse.encode(told, event="loaded"))
    elif asked.method == "GET":
        await peer.answer(200, ALIVE[asked.path])
    else:
        await OpenAIScenes()[Scene.READY](asked, peer)


@asynccontextmanager
async def documented(block: str, folder: Path, monkeypatch: Any) -> AsyncIterator[tuple[Project, list[Any]]]:
    """The project of a block, and what its servers are asked: (documented port, request)."""
    text = (DOCUMENTED / f"{block}.yaml").read_text()
    ports = sorted({int(port) for port in re.findall(r"(?:127\.0\.0\.1|localhost):(\d+)", text)} | {OLLAMA})
    log: list[tuple[int, Asked]] = []
    async with AsyncExitStack() as servers:
        for port in ports:
            upstream = await servers.enter_async_context(ScriptedUpstream(_noting(log, port, fake(port))))
            text = re.sub(rf"\b{port}\b", str(upstream.port), text)
            if port == OLLAMA:
                monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{upstream.port}")
        path = folder / "llamafarm.yaml"
        path.write_text(yaml.safe_dump({"runtime": yaml.safe_load(text)["runtime"]}))
        yield load_project(path, PLUGINS, environ={}), log


def _noting(log: list[tuple[int, Asked]], port: int, script: Script) -> Script:
    async def play(asked: Asked, peer: Peer) -> None:
        log.append((port, asked))
        await script(asked, peer)

    return play


def operation_of(entry: ModelEntry) -> Operation:
    """What the document has the entry for."""
    kind = entry.transformers.model_type if hasattr(entry, "transformers") else None
    return {"embedding": EMBEDDINGS, "image": IMAGES}.get(kind or "", CHAT)


@pytest.mark.parametrize("block", EXPECTED)
async def test_every_entry_of_the_block_reaches_its_server_with_its_model_and_settings(block, tmp_path, monkeypatch):
    async with documented(block, tmp_path, monkeypatch) as (project, log):
        gateway = Gateway(PLUGINS)
        try:
            for entry in project.models:
                assert isinstance(entry, ModelEntry)
                await ask(gateway, project, entry)
        finally:
            await gateway.aclose()
    sent = [(port, asked) for port, asked in log if asked.method == "POST"]
    assert [(port, asked.path) for port, asked in sent] == [(port, path) for port, path, _ in EXPECTED[block]]
    for (_, asked), (_, _, fields) in zip(sent, EXPECTED[block], strict=True):
        assert fields.items() <= asked.body.items()


async def ask(gateway: Gateway, project: Project, entry: ModelEntry) -> None:
    """Ask the entry for what it is there for; where its provider cannot do that yet, the refusal says so."""
    operation = operation_of(entry)
    spec = PLUGINS.provider(entry.provider)
    request = {**REQUESTS[operation], "model": entry.name}
    provider = spec.connect(spec.endpoint(entry))
    await provider.aclose()
    if operation not in operations(provider):
        with pytest.raises(OperationNotSupported, match=operation.name):
            await gateway.ask(project, operation, request, Context("r"))
        return
    answer = await gateway.ask(project, operation, request, Context("r"))
    if operation.returns == "reply":
        assert (await answer.completion())["choices"][0]["message"]["content"]
    if operation.returns != "value":
        await answer.aclose()


async def test_the_key_of_the_block_is_sent_to_its_server(tmp_path, monkeypatch):
    async with documented("2_vllm", tmp_path, monkeypatch) as (project, log):
        gateway = Gateway(PLUGINS)
        try:
            await ask(gateway, project, project.entry())
        finally:
            await gateway.aclose()
    assert {asked.headers["authorization"] for port, asked in log} == {"Bearer sk-local-placeholder"}


def test_no_documented_block_is_forgotten():
    assert list(EXPECTED) == sorted(path.stem for path in DOCUMENTED.glob("*.yaml"))
