"""What servers say of their models and of their health, each in its own fields."""

from __future__ import annotations

import pytest
from llamafarm.errors import ModelNotFound, UpstreamError
from llamafarm_kit.testing.upstream import Asked, Peer, Script, ScriptedUpstream, answering
from llamafarm_openai_compat.models import model_info
from openai_asking import Asking

pytestmark = pytest.mark.anyio
STUDIO_ROW = {
    "id": "qwen/qwen3-4b",
    "object": "model",
    "type": "llm",
    "publisher": "qwen",
    "arch": "qwen3",
    "quantization": "Q4_K_M",
    "state": "loaded",
    "max_context_length": 40960,
    "loaded_context_length": 8192,
    "capabilities": ["tool_use"],
}
STUDIO_LIST = {"data": [{"id": "qwen/qwen3-4b", "object": "model", "owned_by": "organization_owner"}]}


def paths(pages: dict[str, tuple[int, object]]) -> Script:
    """A server with these paths and no others."""

    async def script(asked: Asked, peer: Peer) -> None:
        await peer.answer(*pages.get(asked.path, (404, {"detail": "Not Found"})))

    return script


@pytest.mark.parametrize(
    "row, length",
    [
        ({"id": "m", "owned_by": "vllm", "max_model_len": 4096}, 4096),
        ({"id": "m", "max_context_length": 32768, "state": "not-loaded"}, 32768),
        ({"id": "m", "max_context_length": 32768, "loaded_context_length": 4096, "state": "loaded"}, 4096),
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx_train": 32768}}, 32768),
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 32768}}, 4096),
        ({"id": "m", "type": "chat", "context_length": 8192}, 8192),
        ({"id": "m", "context_length": None, "meta": None}, None),
        ({"id": "m", "context_length": True}, None),
    ],
    ids=["vllm", "lm-studio", "lm-studio-loaded", "llama.cpp", "llama.cpp-slot", "together", "null", "a flag"],
)
def test_the_context_length_stands_in_each_servers_own_field(row, length):
    assert model_info(row).context_length == length


def test_what_a_row_does_not_say_stays_unknown():
    info = model_info({"id": "m"})
    assert (info.features, info.loaded, info.size_bytes, info.context_length) == (None, None, None, None)


def test_lm_studio_says_what_a_model_can_do_and_whether_it_is_loaded():
    info = model_info(STUDIO_ROW)
    assert (info.features, info.loaded) == ({"chat", "tools"}, True)
    assert model_info({**STUDIO_ROW, "type": "embeddings", "capabilities": []}).features == {"embeddings"}
    assert model_info({**STUDIO_ROW, "type": "vlm", "state": "not-loaded"}).features == {"chat", "vision", "tools"}


def test_llama_cpp_says_the_size_of_a_model_and_whether_it_is_loaded():
    info = model_info({"id": "m", "meta": {"size": 5_000}, "status": {"value": "unloaded"}})
    assert (info.size_bytes, info.loaded) == (5_000, False)


async def test_models_are_listed_and_described():
    listing = {"data": [{"id": "a", "max_model_len": 4096}, {"id": "b"}]}
    async with ScriptedUpstream(answering(listing)) as upstream, Asking(upstream) as asking:
        models = await asking.provider.list_models()
        assert [(info.id, info.context_length) for info in models] == [("a", 4096), ("b", None)]
        assert (await asking.provider.describe("a")).details == listing["data"][0]
        with pytest.raises(ModelNotFound, match="does not list the model 'z'"):
            await asking.provider.describe("z")


async def test_a_bare_list_is_a_list_of_models_too():
    rows = [{"id": "meta/llama", "object": "model", "type": "chat", "context_length": 131072}]
    async with ScriptedUpstream(answering(rows)) as upstream, Asking(upstream, profile="together") as asking:
        assert (await asking.provider.describe("meta/llama")).context_length == 131072


async def test_what_is_no_list_is_an_error():
    async with ScriptedUpstream(answering({"models": "none"})) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="is no list of models"):
            await asking.provider.list_models()


async def test_lm_studio_is_asked_for_the_list_that_says_more():
    pages = {"/v1/models": (200, STUDIO_LIST), "/api/v0/models": (200, {"object": "list", "data": [STUDIO_ROW]})}
    async with ScriptedUpstream(paths(pages)) as upstream, Asking(upstream) as asking:
        info = await asking.provider.describe("qwen/qwen3-4b")
        assert (info.context_length, info.loaded) == (8192, True)


async def test_an_lm_studio_without_that_list_still_lists_its_models():
    async with ScriptedUpstream(paths({"/v1/models": (200, STUDIO_LIST)})) as upstream, Asking(upstream) as asking:
        info = await asking.provider.describe("qwen/qwen3-4b")
        assert (info.context_length, info.loaded) == (None, None)


async def test_health_says_why_a_server_cannot_be_used_and_never_raises():
    scripts = answering({"data": []}), answering({"error": "Unauthorized"}, 401)
    async with ScriptedUpstream(*scripts) as upstream, Asking(upstream) as asking:
        good = await asking.provider.health()
        assert good.ok and good.latency is not None
        bad = await asking.provider.health()
        assert (bad.ok, bad.detail) == (False, "Unauthorized")
    async with Asking(upstream) as gone:
        assert not (await gone.provider.health()).ok


@pytest.mark.parametrize("profile", ["transformers-serve", "llama.cpp"])
async def test_a_server_with_a_path_for_its_health_is_asked_there(profile):
    pages = {"/v1/models": (500, "Internal Server Error"), "/health": (200, {"status": "ok"})}
    async with ScriptedUpstream(paths(pages)) as upstream, Asking(upstream, profile=profile) as asking:
        assert (await asking.provider.health()).ok
        assert [asked.path for asked in upstream.requests] == ["/health"]


async def test_a_server_whose_list_fails_is_asked_for_its_health_before_it_counts_as_ill():
    pages = {"/v1/models": (500, "Internal Server Error"), "/health": (200, {"status": "ok"})}
    async with ScriptedUpstream(paths(pages)) as upstream, Asking(upstream) as asking:
        assert (await asking.provider.health()).ok
    async with ScriptedUpstream(paths({"/v1/models": pages["/v1/models"]})) as upstream, Asking(upstream) as asking:
        health = await asking.provider.health()
        assert (health.ok, "status 500" in health.detail) == (False, True)


async def test_a_llama_cpp_that_loads_its_model_says_so():
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    script = paths({"/health": (503, loading)})
    async with ScriptedUpstream(script) as upstream, Asking(upstream, profile="llama.cpp") as asking:
        health = await asking.provider.health()
        assert (health.ok, health.detail) == (False, "Loading model")
