"""The models of a server: what it has, what they can do, getting and deleting them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from llamafarm import ConnectionFailed, InvalidRequest, ModelNotFound, UpstreamError
from llamafarm_kit.testing import Asked, Exchange, Peer
from llamafarm_kit.testing.replay import fitting
from llamafarm_ollama.config import endpoint
from llamafarm_ollama.provider import OllamaProvider
from ollama_asking import RECORDINGS, asking, recorded
from ollama_fake import FakeOllama, line
from ollama_models import MODELS, FakeModel

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
        assert (tiny.memory_bytes, tiny.details["vram_bytes"], tiny.details["context_length"]) == (5683280, 0, 4096)
        assert (tiny.downloaded, unloaded.downloaded, unloaded.memory_bytes) == (True, True, None)
        assert (unloaded.loaded, unloaded.context_length) == (False, 4096)


async def test_a_model_is_described_by_the_name_that_was_asked_for():
    async with asking(LISTS) as ollama:
        found = await ollama.provider.describe("tiny")
        assert (found.id, found.loaded, found.context_length, found.size_bytes) == ("tiny", True, 512, 1361620)
        whole = await ollama.provider.describe("registry.ollama.ai/library/tiny:latest")
        assert (whole.loaded, whole.size_bytes) == (True, 1361620)


async def test_a_model_of_a_cloud_is_there_and_not_downloaded():
    fake = FakeOllama()
    fake.models = {"tiny:latest": MODELS["tiny:latest"], "gpt-oss:cloud": FakeModel(("completion",), remote=True)}
    async with asking(fake) as ollama:
        assert (await ollama.provider.describe("gpt-oss:cloud")).downloaded is None
        assert [info.downloaded for info in await ollama.provider.list_models()] == [True, None]


async def test_a_missing_model_says_how_to_get_it():
    async with asking(recorded("show-missing")) as ollama:
        with pytest.raises(ModelNotFound, match="ollama pull nope, or lf models pull nope --provider ollama"):
            await ollama.provider.describe("nope")


async def test_what_can_no_longer_be_shown_stays_in_the_list_with_unknown_features():
    lists = fitting([Exchange.load(RECORDINGS / f"{name}.json") for name in ("tags", "ps-before-load", "show-missing")])
    async with asking(lists) as ollama:
        models = await ollama.provider.list_models()
        assert [info.features for info in models] == [None] * 5


async def test_a_server_that_does_not_tell_what_is_loaded_is_asked_for_the_rest_all_the_same():
    """Only read: a cloud has nothing loaded, and no `/api/ps`."""
    lists = fitting([Exchange.load(RECORDINGS / f"{name}.json") for name in ("tags", "show")])

    async def cloud(asked: Asked, peer: Peer) -> None:
        await (recorded("unknown-route") if asked.path == "/api/ps" else lists)(asked, peer)

    async with asking(cloud) as ollama:
        assert [info.loaded for info in await ollama.provider.list_models()] == [None] * 5
        assert (await ollama.provider.describe("tiny")).context_length == 4096


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


async def test_a_pull_tells_of_each_layer_what_of_it_is_there():
    async with asking(recorded("pull-success-stream"), model="tiny") as ollama:
        await ollama.provider.pull(ollama.call)
        first, last = ollama.told[0], ollama.told[-1]
        assert (first.stage, first.text, first.total) == ("downloading", "tiny: pulling manifest", None)
        assert (last.stage, last.text) == ("ready", "tiny is there")
        layers = [one for one in ollama.told if one.file]
        assert {(one.file, one.index, one.count, one.total) for one in layers} == {
            ("abaef7fa3772", 1, None, 1361472),
            ("1b75d0fd6529", 2, None, 148),
        }
        counts = [one.done for one in layers if one.index == 1]
        assert counts == sorted(counts)
        assert counts[0] == 65536


async def test_a_cancelled_pull_ends_the_servers_work_and_the_next_one_goes_on_where_it_was():
    cut = recorded("pull-cut-by-client")
    answers = [cut.held_after(len(cut.pieces)), recorded("pull-resumed-stream")]

    async def server(asked: Asked, peer: Peer) -> None:
        await answers.pop(0)(asked, peer)

    async with asking(server) as ollama:
        far = asyncio.Event()
        call = replace(ollama.call, progress=lambda told: far.set() if told.done == 393216 else None)
        task = asyncio.create_task(ollama.provider.pull(call))
        await asyncio.wait_for(far.wait(), 10)
        assert ollama.upstream.working() == 1
        task.cancel()
        await asyncio.wait([task])
        assert ollama.upstream.working() == 0
        await ollama.provider.pull(ollama.call)
        assert (ollama.told[1].done, ollama.told[1].total) == (458752, 1361408)
        assert ollama.told[-1].stage == "ready"


async def test_a_pull_of_what_is_there_is_done_at_once():
    async with asking(recorded("pull-already-there-stream")) as ollama:
        await ollama.provider.pull(ollama.call)
        assert [one.done == one.total for one in ollama.told if one.file] == [True, True]
        assert ollama.told[-1].stage == "ready"


@pytest.mark.parametrize(
    ("answer", "kind", "words", "hint"),
    [
        ("pull-missing-stream", ModelNotFound, "pull model manifest: file does not exist", "ollama.com/library"),
        ("pull-offline-stream", UpstreamError, "lookup registry.ollama.ai on 192.0.2.53:53", "needs the network"),
        ("pull-bad-name", InvalidRequest, "invalid model name", ""),
        ("pull-cut-by-client", UpstreamError, "broke off before nope was complete", ""),
        ("write /models/blobs/sha256-ab-partial: no space left on device", UpstreamError, "no space left", "ollama rm"),
        ("max retries exceeded: EOF", UpstreamError, "max retries exceeded", "goes on where"),
    ],
)
async def test_a_pull_that_does_not_come_to_its_end_is_an_error_though_the_status_is_200(answer, kind, words, hint):
    script = recorded(answer) if answer.startswith("pull-") else failing(answer)
    async with asking(script, model="nope") as ollama:
        with pytest.raises(kind) as caught:
            await ollama.provider.pull(ollama.call)
        assert words in caught.value.message
        assert hint in (caught.value.hint or "")
        assert "Get it first" not in str(caught.value)
        assert ollama.upstream.working() == 0


def failing(error: str) -> Exchange:
    """A pull that has begun, and ends with this error."""
    lines = line({"status": "pulling manifest"}) + line({"status": "pulling ab", "digest": "sha256:ab", "total": 9})
    return Exchange.any(200, lines + line({"error": error}), "application/x-ndjson")


async def test_a_pull_that_is_refused_as_not_found_does_not_say_to_pull():
    async with asking(Exchange.any(404, b'{"error": "model \'nope\' not found"}', "application/json")) as ollama:
        with pytest.raises(ModelNotFound, match="model 'nope' not found") as caught:
            await ollama.provider.pull(ollama.call)
        assert "ollama.com/library" in (caught.value.hint or "")


async def test_a_model_is_deleted():
    fake = FakeOllama()
    async with asking(fake, model="tiny") as ollama:
        await ollama.provider.remove(ollama.call)
        assert "tiny:latest" not in fake.models
        assert (ollama.upstream.requests[-1].method, ollama.sent) == ("DELETE", {"model": "tiny"})
        with pytest.raises(ModelNotFound, match="model 'tiny' not found\nNothing was deleted"):
            await ollama.provider.remove(ollama.call)


async def test_a_model_that_is_deleted_answers_as_recorded():
    async with asking(recorded("delete")) as ollama:
        await ollama.provider.remove(ollama.call)
    async with asking(recorded("delete-missing")) as ollama:
        with pytest.raises(ModelNotFound, match="model 'nope' not found"):
            await ollama.provider.remove(ollama.call)
