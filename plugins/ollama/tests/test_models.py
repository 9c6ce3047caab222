"""The models of a server: what it has, what they can do, getting and deleting them."""

from __future__ import annotations

import asyncio

import pytest
from llamafarm.errors import ConnectionFailed, ModelNotFound, UpstreamError
from llamafarm.testing import Asked, Exchange, Peer
from llamafarm.testing.replay import fitting
from llamafarm_ollama.config import endpoint
from llamafarm_ollama.provider import OllamaProvider
from ollama_asking import RECORDINGS, asking, recorded
from ollama_fake import FakeOllama, line

pytestmark = pytest.mark.anyio
LISTS = fitting(
    [Exchange.load(RECORDINGS / f"{name}.json") for name in ("tags", "ps-after-num-ctx", "show", "version")]
)


async def test_the_list_has_what_the_server_knows_only_when_it_is_asked_for_each_model():
    async with asking(LISTS) as ollama:
        models = {info.id: info for info in await ollama.provider.list_models()}
        assert list(models) == [
            "tiny:latest",
            "tiny-plain:latest",
            "tiny-go:latest",
            "tiny-bert:latest",
            "tiny-tools:latest",
        ]
        tiny, unloaded = models["tiny:latest"], models["tiny-tools:latest"]
        assert tiny.features == {"chat", "completions", "tools", "reasoning"}
        assert (tiny.loaded, tiny.context_length, tiny.size_bytes) == (True, 512, 1361620)
        assert (tiny.details["memory_bytes"], tiny.details["context_length"]) == (5683280, 4096)
        assert (unloaded.loaded, unloaded.context_length) == (False, 4096)


async def test_a_model_is_described_by_the_name_that_was_asked_for():
    async with asking(LISTS) as ollama:
        found = await ollama.provider.describe("tiny")
        assert (found.id, found.loaded, found.context_length, found.size_bytes) == ("tiny", True, 512, 1361620)


async def test_a_missing_model_says_how_to_get_it():
    async with asking(recorded("show-missing")) as ollama:
        with pytest.raises(ModelNotFound, match="ollama pull nope"):
            await ollama.provider.describe("nope")


async def test_what_can_no_longer_be_shown_stays_in_the_list_with_unknown_features():
    lists = fitting([Exchange.load(RECORDINGS / f"{name}.json") for name in ("tags", "ps-before-load", "show-missing")])
    async with asking(lists) as ollama:
        models = await ollama.provider.list_models()
        assert [info.features for info in models] == [None] * 5


async def test_health_tells_the_version():
    async with asking(recorded("version")) as ollama:
        health = await ollama.provider.health()
        assert (health.ok, health.version) == (True, "0.33.0-rc2")


async def test_health_of_something_else_is_not_ok():
    async with asking(Exchange.any(200, '{"hello": 1}')) as ollama:
        assert "not as Ollama does" in (await ollama.provider.health()).detail


async def test_a_server_that_is_not_there_says_how_to_start_it():
    async with asking(FakeOllama()) as ollama:
        found = endpoint(ollama.entry)
        request, call = {"messages": [{"role": "user", "content": "Hi"}]}, ollama.call
    provider = OllamaProvider(found)
    for ask in (provider.chat(request, call), provider.list_models(), provider.describe("tiny")):
        with pytest.raises(ConnectionFailed, match="ollama serve"):
            await ask
    await provider.aclose()


async def test_a_pull_adds_up_its_layers():
    told = []
    async with asking(recorded("pull-success-stream")) as ollama:
        await ollama.provider.pull("tiny", told.append)
    assert told[0].text == "tiny: pulling manifest"
    assert told[0].total is None
    counts = [(one.done, one.total) for one in told if one.total]
    assert counts == sorted(counts)
    assert [one.stage for one in told] == ["downloading"] * (len(told) - 1) + ["ready"]


async def test_a_pull_that_goes_on_begins_where_it_was():
    told = []
    async with asking(recorded("pull-resumed-stream")) as ollama:
        await ollama.provider.pull("tiny-tools", told.append)
    assert (told[1].done, told[1].total) == (458752, 1361408)


async def test_a_pull_of_what_is_there_is_done_at_once():
    async with asking(recorded("pull-already-there-stream")) as ollama:
        await ollama.provider.pull("tiny")


async def test_a_pull_of_a_missing_model_is_an_error_though_the_status_is_200():
    async with asking(recorded("pull-missing-stream")) as ollama:
        with pytest.raises(ModelNotFound, match="pull model manifest: file does not exist"):
            await ollama.provider.pull("nope")


async def test_a_pull_that_breaks_off_is_never_taken_for_a_whole_one():
    async with asking(recorded("pull-cut-by-client")) as ollama:
        with pytest.raises(UpstreamError, match="broke off before tiny was complete"):
            await ollama.provider.pull("tiny")


async def test_cancelling_a_pull_ends_the_servers_work():
    begun = asyncio.Event()

    async def slow(_: Asked, peer: Peer) -> None:
        await peer.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
        await peer.pieces(line({"status": "pulling manifest"}))
        await peer.gone()

    async with asking(slow) as ollama:
        task = asyncio.create_task(ollama.provider.pull("tiny", lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 10)
        assert ollama.upstream.working() == 1
        task.cancel()
        await asyncio.wait([task])
        assert ollama.upstream.working() == 0


async def test_a_model_is_deleted():
    fake = FakeOllama()
    async with asking(fake) as ollama:
        await ollama.provider.remove("tiny")
        assert "tiny:latest" not in fake.models
        assert ollama.upstream.requests[-1].method == "DELETE"
        with pytest.raises(ModelNotFound, match="model 'tiny' not found"):
            await ollama.provider.remove("tiny")
