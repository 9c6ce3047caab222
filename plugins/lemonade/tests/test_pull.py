"""Fetching and deleting models: what is told meanwhile, what goes on, what is cancelled, and what is not there."""

from __future__ import annotations

import asyncio

import pytest
from lemonade_answers import RECORDINGS
from lemonade_asking import Asking
from lemonade_server import MODEL, LemonadeServer, Model
from llamafarm import ModelNotFound, Progress, Pulls, Removes, UpstreamError, sse
from llamafarm_kit.testing import Asked, Exchange, Peer, ReplayUpstream, ScriptedUpstream

pytestmark = pytest.mark.anyio
READY = Progress("ready", f"{MODEL} is there")


def downloading(done: int) -> Progress:
    return Progress("downloading", f"Downloading {MODEL}", done, 100, f"{MODEL}.gguf", 1, 1)


@pytest.fixture
def server():
    return LemonadeServer(models={MODEL: Model(downloaded=False)})


async def test_a_model_is_fetched_with_its_files_and_bytes_told(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream) as asking:
        assert isinstance(asking.provider, Pulls) and isinstance(asking.provider, Removes)
        await asking.provider.pull(asking.call())
        assert (await asking.provider.describe(MODEL)).downloaded is True
    assert asking.told == [*map(downloading, (0, 60, 100)), READY]
    assert server.loaded == {}


async def test_one_that_is_there_already_is_ready_at_once(server):
    async def there(asked: Asked, peer: Peer) -> None:
        await peer.stream(sse.encode({"file_index": 0, "total_files": 0, "percent": 100}, event="complete"))

    async with ScriptedUpstream(there) as upstream, Asking(upstream) as asking:
        await asking.provider.pull(asking.call())
    assert asking.told == [READY]


async def test_an_event_without_its_numbers_tells_what_it_can():
    async def starting(asked: Asked, peer: Peer) -> None:
        said = {"file": "", "file_index": 0, "total_files": 0, "bytes_downloaded": 0, "bytes_total": 0}
        await peer.stream(sse.encode(said, event="progress"), sse.encode({}, event="complete"))

    async with ScriptedUpstream(starting) as upstream, Asking(upstream) as asking:
        await asking.provider.pull(asking.call())
    assert asking.told == [Progress("downloading", f"Downloading {MODEL}", 0), READY]


async def test_one_that_was_cut_off_goes_on_where_it_was(server):
    server.partial[MODEL] = 60

    async def cut(asked: Asked, peer: Peer) -> None:
        said = {"file": f"{MODEL}.gguf", "file_index": 1, "total_files": 1, "bytes_downloaded": 60, "bytes_total": 100}
        await peer.stream(sse.encode(said, event="progress"), end=False)
        peer.close()

    async with ScriptedUpstream(cut, server) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="broke off"):
            await asking.provider.pull(asking.call())
        await asking.provider.pull(asking.call())
    assert asking.told == [*map(downloading, (60, 60, 100)), READY]


async def test_an_event_without_end_is_an_error_that_names_the_server(monkeypatch):
    async def endless(asked: Asked, peer: Peer) -> None:
        await peer.stream(b"data: " + b"x" * 50_000, end=False)
        await peer.gone()

    monkeypatch.setitem(sse.split.__kwdefaults__, "limit", 10_000)
    async with ScriptedUpstream(endless) as upstream, Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match=r"^The answer of lemonade .* an event that is larger than 10000 bytes"):
            await asking.provider.pull(asking.call())


async def test_cancelling_closes_the_connection_which_ends_the_servers_work():
    begun, gone = asyncio.Event(), asyncio.Event()

    async def endless(asked: Asked, peer: Peer) -> None:
        await peer.stream(b": ping\n\n", end=False)
        begun.set()
        if await peer.gone():
            gone.set()

    async with ScriptedUpstream(endless) as upstream, Asking(upstream) as asking:
        task = asyncio.create_task(asking.provider.pull(asking.call()))
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 10)


async def test_without_network_the_recorded_refusal_is_told():
    block = {"checkpoint": "nobody/nothing-GGUF:Q4_0"}
    async with (
        ReplayUpstream(Exchange.load(RECORDINGS / "pull-offline-stream.json")) as upstream,
        Asking(upstream, model="user.Nope", lemonade=block) as asking,
    ):
        with pytest.raises(ModelNotFound, match="Lemond is in offline mode, models not downloaded") as caught:
            await asking.provider.pull(asking.call())
    assert (caught.value.status, caught.value.code) == (400, "lemond_offline")
    assert asking.told == []


async def test_a_model_that_the_server_does_not_know_is_named(server):
    async with ScriptedUpstream(server) as upstream, Asking(upstream, model="user.Nope") as asking:
        with pytest.raises(ModelNotFound, match=r"user\.Nope") as caught:
            await asking.provider.pull(asking.call())
    assert "lemonade.checkpoint" in (caught.value.hint or "")


async def test_a_model_is_deleted_and_loaded_again_by_its_next_request(server):
    server.models[MODEL].downloaded = True
    async with ScriptedUpstream(server) as upstream, Asking(upstream, lemonade={"context_size": 512}) as asking:
        await asking.streamed()
        await asking.provider.remove(asking.call())
        assert MODEL not in server.models
        server.models[MODEL] = Model()
        await asking.streamed()
    assert server.asked("/delete") == [{"model_name": MODEL}]
    assert len(server.asked("/load")) == 2


@pytest.mark.parametrize("model", [MODEL, "user.Nope"], ids=["known, but not downloaded", "unknown"])
async def test_deleting_what_is_not_there_is_an_error_though_the_server_would_call_it_a_success(server, model):
    async with ScriptedUpstream(server) as upstream, Asking(upstream, model=model) as asking:
        with pytest.raises(ModelNotFound, match=model) as caught:
            await asking.provider.remove(asking.call())
    assert "Nothing was deleted" in (caught.value.hint or "")
    assert server.asked("/delete") == []
