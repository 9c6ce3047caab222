"""When models are downloaded and loaded, with which settings, and what is told meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from lemonade_asking import Asking
from lemonade_server import EMBEDDER, MODEL, LemonadeServer, Model
from llamafarm.errors import ConnectionFailed, ModelNotFound, ProviderTimeout, UpstreamError
from llamafarm.providers.base import Progress
from llamafarm.wire import sse
from llamafarm_kit.testing import Asked, Peer, ScriptedUpstream

pytestmark = pytest.mark.anyio
SMALL = {"context_size": 1024}


@pytest.fixture
def server():
    return LemonadeServer(models={MODEL: Model(), "Other": Model(), EMBEDDER: Model("embedding")})


@pytest.fixture
async def upstream(server):
    async with ScriptedUpstream(server) as upstream:
        yield upstream


async def test_the_first_request_loads_the_model_with_the_entrys_settings_and_later_ones_do_not(server, upstream):
    async with Asking(upstream, lemonade={**SMALL, "backend": "cpu", "llamacpp_args": "--no-mmap"}) as asking:
        await asking.streamed()
        await asking.streamed()
    settings = {"ctx_size": 1024, "llamacpp_backend": "cpu", "llamacpp_args": "--no-mmap"}
    assert server.asked("/load") == [{"model_name": MODEL, **settings}]
    assert [progress.stage for progress in asking.told] == ["loading", "ready"]


async def test_an_entry_without_settings_leaves_loading_to_the_server(server, upstream):
    async with Asking(upstream) as asking:
        await asking.streamed()
    assert server.asked("/load") == []
    assert server.loaded == {MODEL: {}}


async def test_two_entries_of_one_server_are_loaded_with_their_own_settings_each_time_it_is_their_turn(
    server, upstream
):
    async with Asking(upstream, lemonade=SMALL) as asking:
        other = asking.entry_of(model="Other", lemonade={"context_size": 512})
        for entry in (asking.entry, other, asking.entry):
            await (await asking.chat(entry)).completion()
    assert [(one["model_name"], one["ctx_size"]) for one in server.asked("/load")] == [
        (MODEL, 1024),
        ("Other", 512),
        (MODEL, 1024),
    ]


async def test_a_model_that_somebody_else_has_evicted_is_loaded_again_with_the_entrys_context(server, upstream):
    async with Asking(upstream, lemonade=SMALL) as asking:
        await asking.streamed()
        server.loaded.clear()
        await asking.streamed()
    assert server.loaded == {MODEL: {"ctx_size": 1024}}


async def test_many_first_requests_at_once_load_it_once(server, upstream):
    async with Asking(upstream, lemonade=SMALL) as asking:
        await asyncio.gather(*(asking.streamed() for _ in range(8)))
    assert len(server.asked("/load")) == 1


async def test_who_waits_for_another_ones_load_keeps_its_own_time_limit(server):
    loading = asyncio.Event()

    async def slow(asked: Asked, peer: Peer) -> None:
        if asked.path == "/v1/load":
            loading.set()
            await peer.gone()
        await server(asked, peer)

    async with ScriptedUpstream(slow) as upstream, Asking(upstream, lemonade=SMALL) as asking:
        first = asyncio.create_task(asking.chat())
        await asyncio.wait_for(loading.wait(), 10)
        soon = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(ProviderTimeout, match=MODEL):
            await asking.provider.chat({"messages": []}, asking.call(deadline=soon))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_after_a_connection_that_failed_the_model_is_loaded_again(server):
    first = ScriptedUpstream(server)
    async with first:
        asking = Asking(first, lemonade=SMALL)
        await asking.streamed()
    with pytest.raises(ConnectionFailed):
        await asking.streamed()
    again = ScriptedUpstream(server)
    again.port = first.port
    async with again:
        await asking.streamed()
    await asking.provider.aclose()
    assert len(server.asked("/load")) == 2


async def test_a_model_whose_files_are_missing_is_downloaded_first_and_that_is_told(server, upstream):
    server.models[MODEL].downloaded = False
    async with Asking(upstream, lemonade=SMALL) as asking:
        await asking.streamed()
    assert server.asked("/pull") == [{"model_name": MODEL, "stream": True}]
    assert asking.told == [
        *(Progress("downloading", f"Downloading {MODEL}", done, 100, f"{MODEL}.gguf", 1, 1) for done in (0, 60, 100)),
        Progress("loading", f"Loading {MODEL}"),
        Progress("ready", f"{MODEL} is loaded"),
    ]


async def test_a_model_with_a_name_of_ones_own_is_downloaded_by_its_checkpoint(server, upstream):
    block = {"checkpoint": "unsloth/Qwen3-4B-GGUF:Q4_K_M", "backend": "cpu"}
    async with Asking(upstream, model="user.Qwen3-4B", lemonade=block) as asking:
        await asking.streamed()
    named = {"checkpoint": "unsloth/Qwen3-4B-GGUF:Q4_K_M", "recipe": "llamacpp"}
    assert server.asked("/pull") == [{"model_name": "user.Qwen3-4B", "stream": True, **named}]


async def test_without_a_checkpoint_an_unknown_model_is_not_downloaded_and_the_hint_says_how(server, upstream):
    async with Asking(upstream, model="user.Nope") as asking:
        with pytest.raises(ModelNotFound, match=r"Model 'user\.Nope' was not found") as caught:
            await asking.chat()
    assert server.asked("/pull") == []
    assert "lemonade.checkpoint" in (caught.value.hint or "")


async def test_a_download_without_network_is_told_in_the_servers_words(server, upstream):
    server.models[MODEL].downloaded, server.offline = False, True
    async with Asking(upstream) as asking:
        with pytest.raises(ModelNotFound, match="Lemond is in offline mode") as caught:
            await asking.chat()
    assert (caught.value.status, caught.value.code) == (400, "lemond_offline")


@pytest.mark.parametrize(
    "events, kind, words",
    [
        ([sse.encode({"error": "disk is full"}, event="error")], UpstreamError, "disk is full"),
        ([sse.encode({"error": {"message": "no such repository"}}, event="error")], UpstreamError, "no such rep"),
        ([b"event: progress\ndata: nonsense\n\n"], UpstreamError, "not a JSON object"),
        ([b": ping\n\n"], UpstreamError, "broke off while the model was being downloaded"),
    ],
)
async def test_a_download_that_fails_says_why(server, events, kind, words):
    server.models[MODEL].downloaded = False

    async def play(asked: Asked, peer: Peer) -> None:
        await (peer.stream(*events) if asked.path == "/v1/pull" else server(asked, peer))

    async with ScriptedUpstream(play) as upstream, Asking(upstream) as asking:
        with pytest.raises(kind, match=words):
            await asking.chat()


async def test_a_model_is_unloaded_and_one_that_is_not_loaded_is_no_error(server, upstream):
    async with Asking(upstream, lemonade=SMALL) as asking:
        await asking.streamed()
        assert await asking.provider.loading.unload(asking.call()) is True
        assert await asking.provider.loading.unload(asking.call()) is False
        await asking.streamed()
    assert len(server.asked("/load")) == 2
