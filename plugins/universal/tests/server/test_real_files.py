"""The whole way of a model's files: the provider, a real runtime, and a stand-in for the hub."""

from __future__ import annotations

import asyncio

import pytest
from hub_server import running_hub
from llamafarm.errors import ModelNotFound, ProviderError
from llamafarm.providers.base import Call
from llamafarm_universal.config import UniversalEntry, endpoint
from llamafarm_universal.provider import UniversalProvider
from runtime_servers import BOUND, running_process

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(llama):
    with running_hub() as hub:
        hub.models["farm/tiny"] = llama
        yield hub


@pytest.fixture
def runtime(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path / "data"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    place = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache")}
    with running_process(UNIVERSAL_RUNTIME_API_KEY="key", **place) as server:
        yield server


@pytest.mark.anyio
async def test_a_model_is_pulled_gone_on_with_used_and_deleted(hub, runtime, llama):
    entry = UniversalEntry(name="e", provider="universal", model="farm/tiny", base_url=runtime.url, api_key="key")
    provider = UniversalProvider(endpoint(entry))
    told = []
    call = Call(entry=entry, request_id="r", progress=told.append)
    with pytest.raises(ModelNotFound):
        await provider.describe("farm/tiny")

    hub.held.add(WEIGHTS)
    pulling = asyncio.create_task(provider.pull(call))
    assert await asyncio.to_thread(hub.holding.wait, BOUND)
    assert (await provider.health()).ok
    pulling.cancel()
    await asyncio.wait({pulling})
    assert await asyncio.to_thread(hub.closed.wait, BOUND), "the runtime has left the hub"
    assert (await provider.describe("farm/tiny")).downloaded is False
    hub.held.clear()

    await provider.pull(call)
    assert hub.ranges[WEIGHTS][1].startswith("bytes=")
    size = sum(file.stat().st_size for file in llama.iterdir())
    step = next(one for one in reversed(told) if one.stage == "downloading")
    assert (step.done, step.total) == (size, size)
    assert told[-1].text == "farm/tiny has been downloaded"
    info = await provider.describe("farm/tiny")
    assert (info.downloaded, info.size_bytes, info.loaded) == (True, size, False)

    reply = await provider.complete({"model": "e", "prompt": "hello", "max_tokens": 2}, call)
    assert (await reply.completion())["choices"]
    info = await provider.describe("farm/tiny")
    assert (info.downloaded, info.loaded) == (True, True)
    assert info.memory_bytes

    await provider.remove(call)
    with pytest.raises(ModelNotFound):
        await provider.remove(call)
    with pytest.raises(ModelNotFound):
        await provider.describe("farm/tiny")
    assert all(info.id != "farm/tiny" for info in await provider.list_models())
    hub.refusals["farm/tiny"] = (403, "GatedRepo")
    with pytest.raises(ProviderError, match="gated"):
        await provider.pull(call)
    await provider.aclose()
