"""The whole way of a model's files: the provider, a real runtime, and a stand-in for the hub."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hub_server import running_hub
from llamafarm.errors import ModelNotFound, ProviderError
from llamafarm.providers.base import Call
from llamafarm_universal.config import UniversalEntry, endpoint
from llamafarm_universal.provider import UniversalProvider
from runtime_servers import BOUND, running_process
from tiny_models import make_adapter

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def hub(llama):
    with running_hub() as hub:
        hub.models |= {"farm/tiny": llama, "farm/other": llama, "farm/base": llama}
        yield hub


@pytest.fixture(scope="module")
def runtime(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LF_DATA_DIR", str(folder / "data"))
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            patch.delenv(name, raising=False)
        place = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(folder / "cache")}
        with running_process(UNIVERSAL_RUNTIME_API_KEY="key", **place) as server:
            yield server


def post(runtime, path, **body):
    return httpx.post(f"{runtime.url}{path}", json=body, headers={"Authorization": "Bearer key"}, timeout=BOUND)


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


def test_a_store_that_is_killed_in_a_pull_is_not_noticed_by_who_waits(hub, runtime):
    hub.held.add(WEIGHTS)
    hub.holding.clear()
    hub.ranges.clear()
    with ThreadPoolExecutor(1) as pool:
        pulling = pool.submit(post, runtime, "/v1/models/pull", id="farm/other")
        assert hub.holding.wait(BOUND)
        hub.closed.clear()
        runtime.store.kill()
        assert hub.closed.wait(BOUND)
        hub.held.clear()
        assert pulling.result().json()["fetched"]
    assert len(hub.ranges[WEIGHTS]) == 2


def test_an_adapter_answers_otherwise_than_its_base_model(hub, runtime, llama, tmp_path):
    hub.models["farm/lora"] = make_adapter(llama, tmp_path / "lora", "farm/base")
    asked = {"prompt": "hello world", "max_tokens": 12, "temperature": 0, "logit_bias": {"2": -100}}
    answers = [post(runtime, "/v1/completions", model=model, **asked).json() for model in ("farm/base", "farm/lora")]
    base, adapted = (answer["choices"][0]["text"] for answer in answers)
    assert base != adapted
    assert runtime_row(runtime, "farm/lora")["loaded"]


def runtime_row(runtime, model):
    rows = httpx.get(f"{runtime.url}/v1/models", headers={"Authorization": "Bearer key"}, timeout=BOUND).json()["data"]
    return next(row for row in rows if row["id"] == model)
