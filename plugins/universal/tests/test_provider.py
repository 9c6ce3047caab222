"""What the client asks of a runtime, and what it makes of the answers; the runtime is played."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest
from llamafarm.errors import ConnectionFailed, ModelNotFound, ProviderError, UpstreamError
from llamafarm.providers.base import Call, CountsTextTokens, CountsTokens, Progress, operations
from llamafarm.services.state import ServiceFiles, ServiceState
from llamafarm.wire import sse
from llamafarm_kit.testing.upstream import Asked, Peer, ScriptedUpstream, answering
from llamafarm_universal.config import UniversalEntry, endpoint
from llamafarm_universal.provider import UniversalProvider
from llamafarm_universal.service import service_name

pytestmark = pytest.mark.anyio
MESSAGES = [{"role": "user", "content": "Hi"}]


def failed(error: dict) -> bytes:
    return sse.encode({"error": error}, event="error")


class Runtime:
    """A runtime with the routes that the client uses; `known` are the handles that it has."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.deadlines: list[str | None] = []
        self.tokens: int | None = 42
        self.counted: list[dict] = []
        self.odd_counts: object = None
        self.loads: list[dict] = []
        self.load_events: list[bytes] | None = None
        self.pulls: list[dict] = []
        self.pull_events: list[bytes] = []
        self.deleted: list[str] = []
        self.deletion: tuple[int, dict] = (200, {"deleted": True})
        self.described: list[dict] = []
        self.description: tuple[int, dict] = (404, {"error": {"message": "not here", "code": "model_not_loaded"}})

    async def __call__(self, asked: Asked, peer: Peer) -> None:
        if asked.path == "/v1/models/load":
            await self.load(asked, peer)
        elif asked.path == "/health":
            await peer.answer(200, {"status": "ok", "version": "1.2", "host": "ready", "models": []})
        elif asked.path == "/v1/models":
            model = {"id": "m@12345678", "model": "org/model", "loaded": True, "features": ["tools"]}
            there = {"downloaded": True, "size_bytes": 5}
            await peer.answer(200, {"data": [{**model, **there, "context_length": 8, "memory_bytes": 9}]})
        elif asked.path == "/v1/models/describe":
            self.described.append(asked.body)
            await peer.answer(*self.description)
        elif asked.path == "/v1/models/pull":
            self.pulls.append({**asked.body, "token": asked.headers.get("x-lf-service-token")})
            await peer.stream(*self.pull_events)
        elif asked.method == "DELETE":
            self.deleted.append(asked.path)
            await peer.answer(*self.deletion)
        elif asked.path == "/v1/models/org%2Funused":
            unused = {"id": "org/unused", "model": "org/unused", "loaded": False, "downloaded": False, "size_bytes": 3}
            await peer.answer(200, unused)
        elif asked.path.startswith("/v1/models/") or asked.body["model"] not in self.known:
            await peer.answer(404, {"error": {"message": "not here", "code": "model_not_loaded"}})
        else:
            await self.answer(asked, peer)

    async def load(self, asked: Asked, peer: Peer) -> None:
        self.loads.append({**asked.body, "token": asked.headers.get("x-lf-service-token")})
        handle = f"{asked.body['id']}@12345678" if asked.body["settings"] else asked.body["id"]
        self.known.add(handle)
        done = {"model": handle, "id": asked.body["id"], "device": "cpu"}
        progress = {"stage": "downloading", "text": "Downloading", "done": 1, "total": 2}
        events = self.load_events or [sse.encode(progress, event="progress"), sse.encode(done, event="loaded")]
        await peer.stream(b": keep-alive\n\n", *events)

    async def answer(self, asked: Asked, peer: Peer) -> None:
        self.deadlines.append(asked.headers.get("x-lf-deadline"))
        if asked.path == "/v1/chat/completions/input_tokens":
            self.counted.append(asked.body)
            await peer.answer(200, {"object": "chat.completion.input_tokens", "input_tokens": self.tokens})
            return
        if asked.path == "/v1/embeddings/input_tokens":
            self.counted.append(asked.body)
            counts = [len(text) for text in asked.body["input"]] if self.odd_counts is None else self.odd_counts
            await peer.answer(200, {"object": "embedding.input_tokens", "input_tokens": counts})
            return
        if asked.path == "/v1/embeddings":
            inputs = asked.body["input"]
            data = [{"object": "embedding", "index": i, "embedding": [float(len(t))]} for i, t in enumerate(inputs)]
            usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
            await peer.answer(200, {"object": "list", "model": "m", "data": data, "usage": usage})
            return
        if asked.path == "/v1/rerank":
            ranks = [{"index": 0, "relevance_score": 1.0}]
            await peer.answer(200, {"model": "m", "results": ranks})
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        await peer.answer(200, {"object": "chat.completion", "model": asked.body["model"], "choices": [choice]})


@pytest.fixture
async def runtime():
    return Runtime()


@pytest.fixture
async def upstream(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path))
    async with ScriptedUpstream(runtime) as upstream:
        yield upstream


class Asking:
    def __init__(self, upstream: ScriptedUpstream, **more) -> None:
        self.entry = UniversalEntry(
            name="e", provider="universal", model="org/model", base_url=f"http://127.0.0.1:{upstream.port}", **more
        )
        self.provider = UniversalProvider(endpoint(self.entry))
        self.told: list[Progress] = []
        self.deadline: float | None = None

    def call(self) -> Call:
        return Call(entry=self.entry, request_id="r", deadline=self.deadline, progress=self.told.append)

    async def chat(self):
        reply = await self.provider.chat({"messages": MESSAGES, "model": "e"}, self.call())
        return await reply.completion()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.provider.aclose()


def test_it_can_do_chat_completions_and_embeddings():
    names = [
        "chat",
        "completions",
        "embeddings",
        "images",
        "image edits",
        "image variations",
        "transcriptions",
        "translations",
        "speech",
        "audio/classify",
        "rerank",
        "score",
        "classify",
        "ner",
    ]
    sight = ["classify", "zero-shot", "features", "detect", "segment", "depth", "caption"]
    assert [row.name for row in operations(UniversalProvider)] == [*names, *(f"vision/{name}" for name in sight)]


async def test_tokens_are_counted_with_the_model_loaded_from_what_the_prompt_consists_of(runtime, upstream):
    tools = [{"type": "function", "function": {"name": "f"}}]
    request = {"messages": MESSAGES, "model": "e", "tools": tools, "stream": True, "temperature": 0.5}
    async with Asking(upstream) as asking:
        assert isinstance(asking.provider, CountsTokens)
        assert await asking.provider.count_tokens(request, asking.call()) == 42
    assert len(runtime.loads) == 1
    assert runtime.counted[-1] == {"messages": MESSAGES, "tools": tools, "model": "org/model"}


async def test_an_answer_that_counts_nothing_is_the_runtimes_fault(runtime, upstream):
    runtime.tokens = None
    async with Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="counted no tokens"):
            await asking.provider.count_tokens({"messages": MESSAGES}, asking.call())


async def test_the_tokens_of_texts_are_counted_in_one_request_with_the_model_loaded(runtime, upstream):
    async with Asking(upstream, transformers={"batch_size": 2}) as asking:
        assert isinstance(asking.provider, CountsTextTokens)
        assert await asking.provider.count_text_tokens(["a", "", "abc"], asking.call()) == [1, 0, 3]
    assert len(runtime.loads) == 1
    assert [body["input"] for body in runtime.counted] == [["a", "", "abc"]]


async def test_no_texts_have_no_tokens_and_nobody_is_asked(runtime, upstream):
    async with Asking(upstream) as asking:
        assert await asking.provider.count_text_tokens([], asking.call()) == []
    assert (runtime.loads, runtime.counted) == ([], [])


async def test_more_texts_than_one_request_takes_are_counted_in_several(runtime, upstream):
    long = "a" * 1_500_000
    async with Asking(upstream) as asking:
        assert await asking.provider.count_text_tokens(["a"] * 10_000, asking.call()) == [1] * 10_000
        assert await asking.provider.count_text_tokens([long, "b", long], asking.call()) == [1_500_000, 1, 1_500_000]
    assert [len(body["input"]) for body in runtime.counted] == [8192, 1808, 2, 1]


@pytest.mark.parametrize("counts", [[1], [1, None], [1, 2.5], [True, 1], "12", {}])
async def test_counts_that_are_not_one_for_each_text_are_the_runtimes_fault(runtime, upstream, counts):
    runtime.odd_counts = counts
    async with Asking(upstream) as asking:
        with pytest.raises(UpstreamError, match="counted no tokens"):
            await asking.provider.count_text_tokens(["a", "b"], asking.call())


async def test_the_first_request_loads_the_model_with_the_entrys_settings_and_later_ones_do_not(runtime, upstream):
    async with Asking(upstream, transformers={"dtype": "fp16", "device": "cpu"}) as asking:
        assert (await asking.chat())["model"] == "org/model@12345678"
        await asking.chat()
    load = {"id": "org/model", "settings": {"device": "cpu", "dtype": "fp16"}, "stream": True, "token": None}
    assert runtime.loads == [load]


@pytest.mark.parametrize(("timeouts", "deadline", "told"), [
    ({}, None, None), ({"total": 100}, None, 100.0), ({}, 50, 50.0), ({"total": 100}, 50, 50.0),
    ({"total": 20}, 50, 20.0),
])  # fmt: skip
async def test_the_runtime_is_told_for_how_long_somebody_waits(runtime, upstream, timeouts, deadline, told):
    async with Asking(upstream, timeouts=timeouts) as asking:
        if deadline is not None:
            asking.deadline = asyncio.get_running_loop().time() + deadline
        await asking.chat()
        await asking.provider.embed({"input": ["a"]}, asking.call())
        await asking.provider.count_tokens({"messages": MESSAGES}, asking.call())
        await asking.provider.rerank({"query": "a", "documents": ["a"]}, asking.call())
    assert len(runtime.deadlines) == 4
    for header in runtime.deadlines:
        assert header == told if told is None else told - 10 < float(header) <= told


async def test_loading_is_told_as_it_goes(upstream):
    async with Asking(upstream) as asking:
        await asking.chat()
        assert asking.told == [
            Progress("downloading", "Downloading", 1, 2),
            Progress("ready", "org/model is loaded on cpu"),
        ]


async def test_a_runtime_that_was_started_again_loads_the_model_again(runtime, upstream):
    async with Asking(upstream) as asking:
        await asking.chat()
        runtime.known.clear()
        assert (await asking.chat())["model"] == "org/model"
    assert len(runtime.loads) == 2


async def test_it_is_loaded_again_once_and_then_the_error_is_told(runtime, upstream):
    async with Asking(upstream) as asking:
        await asking.chat()
        runtime.known.clear()
        runtime.load_events = [sse.encode({"model": "other", "id": "org/model"}, event="loaded")]
        with pytest.raises(ModelNotFound, match="not here"):
            await asking.chat()
    assert len(runtime.loads) == 2


async def test_a_connection_that_fails_is_told_and_the_model_loaded_again_afterwards(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv("LF_DATA_DIR", str(tmp_path))
    first = ScriptedUpstream(runtime)
    async with first:
        asking = Asking(first)
        await asking.chat()
    with pytest.raises(ConnectionFailed):
        await asking.chat()
    again = ScriptedUpstream(runtime)
    again.port = first.port
    async with again:
        await asking.chat()
    assert len(runtime.loads) == 2
    await asking.provider.aclose()


async def test_two_settings_of_one_model_are_loaded_apart(runtime, upstream):
    async with Asking(upstream) as asking:
        await asking.chat()
        asking.entry = asking.entry.model_copy(update={"transformers": type(asking.entry.transformers)(dtype="fp32")})
        await asking.chat()
    assert [load["settings"] for load in runtime.loads] == [{}, {"dtype": "fp32"}]


@pytest.mark.parametrize(
    "event, kind, message",
    [
        (
            sse.encode({"error": {"message": "no such model", "code": "model_not_found"}}, event="error"),
            ModelNotFound,
            "no such",
        ),
        (sse.encode({"error": {"message": "out of memory"}}, event="error"), ProviderError, "out of memory"),
        (b"event: progress\ndata: nonsense\n\n", UpstreamError, "not a JSON object"),
        (b"", UpstreamError, "broke off"),
        (sse.encode({"id": "x"}, event="loaded"), UpstreamError, "broke off"),
    ],
)
async def test_a_load_that_fails_says_why(runtime, upstream, event, kind, message):
    runtime.load_events = [event or b": nothing\n\n"]
    async with Asking(upstream) as asking:
        with pytest.raises(kind, match=message):
            await asking.chat()


async def test_the_service_token_goes_only_to_the_runtime_that_llamafarm_started(runtime, upstream, tmp_path):
    files = ServiceFiles(service_name(upstream.port), tmp_path)
    files.new_token()
    address = f"http://127.0.0.1:{upstream.port}"
    state = ServiceState(os.getpid(), psutil.Process().create_time(), address=address, version="1")
    files.write(state)
    async with Asking(upstream) as asking:
        await asking.chat()
    files.write(ServiceState(**{**vars(state), "created": 1.0}))
    async with Asking(upstream) as asking:
        await asking.chat()
    assert [load["token"] for load in runtime.loads] == [files.token.read_text(), None]


async def test_embeddings_go_in_parts_of_the_batch_size(upstream):
    async with Asking(upstream, transformers={"batch_size": 2}) as asking:
        answer = await asking.provider.embed({"input": ["a", "bb", "ccc", "dddd", "eeeee"]}, asking.call())
    assert [(one["index"], one["embedding"]) for one in answer["data"]] == [(i, [i + 1.0]) for i in range(5)]
    assert answer["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    sizes = [len(asked.body["input"]) for asked in upstream.requests if asked.path == "/v1/embeddings"]
    assert sizes == [2, 2, 1]


async def test_pictures_go_in_parts_too_and_one_alone_is_no_list(upstream):
    picture = {"image": "AA=="}
    async with Asking(upstream, transformers={"batch_size": 1}) as asking:
        await asking.provider.embed({"input": ["a", picture]}, asking.call())
        await asking.provider.embed({"input": picture}, asking.call())
    sent = [asked.body["input"] for asked in upstream.requests if asked.path == "/v1/embeddings"]
    assert sent == [["a"], [picture], picture]


async def test_models_are_described_as_the_runtime_says(upstream):
    async with Asking(upstream) as asking:
        info = await asking.provider.describe("org/model")
        assert (info.id, info.features, info.context_length) == ("m@12345678", frozenset({"tools"}), 8)
        assert (info.size_bytes, info.loaded, info.memory_bytes, info.downloaded) == (5, True, 9, True)
        unused = await asking.provider.describe("org/unused")
        assert (unused.size_bytes, unused.loaded, unused.memory_bytes, unused.downloaded) == (3, False, None, False)
        with pytest.raises(ModelNotFound, match="neither loaded nor downloaded 'other'"):
            await asking.provider.describe("other")


async def test_an_entry_is_described_with_what_its_settings_make_of_the_model(runtime, upstream):
    row = {
        "id": "org/model@adapter=org/pirate,signed=0a1b", "model": "org/model", "object": "model", "created": 1,
        "owned_by": "org", "queue": {"running": 0}, "state": "absent", "loaded": False, "downloaded": True,
        "size_bytes": 7, "media": [],
        "features": ["chat"], "requests": ["/v1/chat/completions"], "likeness": None, "quantization": "none",
        "settings": {"dtype": "bf16", "device": "auto", "adapter": "org/pirate", "options": [["a", 1]]},
        "adapter": {"model": "org/pirate", "scale": 0.5, "kind": "LoRA"},
    }  # fmt: skip
    runtime.description = (200, row)
    adapters = [{"name": "pirate", "model": "org/pirate", "scale": 0.5}]
    async with Asking(upstream, adapters=adapters, transformers={"dtype": "bf16"}) as asking:
        [variant] = asking.entry.variants()
        info = await asking.provider.describe_entry(variant)
    settings = {"dtype": "bf16", "adapter": "org/pirate", "adapter_scale": 0.5}
    assert runtime.described == [{"id": "org/model", "settings": settings}]
    assert (info.id, info.features, info.size_bytes, info.loaded) == (
        "org/model@adapter=org/pirate",
        {"chat"},
        7,
        False,
    )
    assert info.details == {
        "requests": ["/v1/chat/completions"],
        "adapter": {"model": "org/pirate", "scale": 0.5, "kind": "LoRA"},
        "settings": {"dtype": "bf16", "a": 1},
    }


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_runtime_that_does_not_take_the_entrys_settings_is_asked_about_its_model(runtime, upstream, status):
    runtime.description = (status, {"error": {"message": "no"}})
    async with Asking(upstream, adapters=[{"name": "pirate", "model": "org/pirate"}]) as asking:
        assert (await asking.provider.describe_entry(asking.entry)).size_bytes == 5
        [variant] = asking.entry.variants()
        with pytest.raises(ProviderError, match="no"):
            await asking.provider.describe_entry(variant)


async def test_an_entry_whose_files_are_not_here_is_missing_and_a_folder_is_not_downloaded(upstream, tmp_path):
    (tmp_path / "empty").mkdir()
    async with Asking(upstream, adapters=[{"name": "pirate", "model": "org/pirate"}]) as asking:
        for entry, message, hint in (
            (asking.entry, "'org/model'", "lf models pull"),
            (*asking.entry.variants(), "'org/model' with the adapter 'org/pirate'", "lf models pull"),
            (asking.entry.model_copy(update={"model": str(tmp_path / "empty")}), "empty'", "the folder of a model"),
        ):
            with pytest.raises(ModelNotFound, match=f"neither loaded nor downloaded .*{message}") as caught:
                await asking.provider.describe_entry(entry)
            assert hint in str(caught.value.hint)


async def test_a_folder_of_this_machine_is_described_from_the_disk(upstream, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    async with Asking(upstream) as asking:
        info = await asking.provider.describe("./model")
        assert (info.id, info.loaded, info.downloaded, info.size_bytes) == ("./model", False, True, 2)
        with pytest.raises(ModelNotFound, match=r"'\./other'"):
            await asking.provider.describe("./other")


def pulled(**said) -> bytes:
    return sse.encode({"id": "org/model", "size_bytes": 4, **said}, event="pulled")


async def test_a_model_is_pulled_with_what_decides_its_files(runtime, upstream):
    step = {"stage": "downloading", "text": "Downloading", "done": 1, "total": 4, "file": "w", "index": 1, "count": 2}
    runtime.pull_events = [b": keep-alive\n\n", sse.encode(step, event="progress"), pulled(fetched=True)]
    transformers = {"dtype": "fp16", "revision": "v1", "draft_model": "org/small"}
    async with Asking(upstream, transformers=transformers) as asking:
        await asking.provider.pull(asking.call())
    settings = {"revision": "v1", "draft_model": "org/small"}
    assert runtime.pulls == [{"id": "org/model", "settings": settings, "stream": True, "token": None}]
    assert asking.told == [
        Progress("downloading", "Downloading", 1, 4, "w", 1, 2),
        Progress("ready", "org/model has been downloaded"),
    ]


async def test_a_model_that_is_there_is_no_error(runtime, upstream):
    runtime.pull_events = [pulled(fetched=False)]
    async with Asking(upstream) as asking:
        await asking.provider.pull(asking.call())
    assert asking.told == [Progress("ready", "org/model is there already")]


@pytest.mark.parametrize(
    "event, kind, message",
    [
        (failed({"message": "is gated", "code": "model_not_found"}), ModelNotFound, "is gated"),
        (b": nothing\n\n", UpstreamError, "broke off"),
    ],
)
async def test_a_pull_that_fails_says_why(runtime, upstream, event, kind, message):
    runtime.pull_events = [event]
    async with Asking(upstream) as asking:
        with pytest.raises(kind, match=message):
            await asking.provider.pull(asking.call())


async def test_a_model_is_deleted_at_the_runtime(runtime, upstream):
    async with Asking(upstream) as asking:
        await asking.provider.remove(asking.call())
        assert runtime.deleted == ["/v1/models/org%2Fmodel"]
        runtime.deletion = (404, {"error": {"message": "not downloaded", "code": "model_not_found"}})
        with pytest.raises(ModelNotFound, match="not downloaded"):
            await asking.provider.remove(asking.call())
        runtime.deletion = (409, {"error": {"message": "is being loaded", "code": "model_in_use"}})
        with pytest.raises(ProviderError, match="is being loaded"):
            await asking.provider.remove(asking.call())


async def test_health_is_asked_at_the_root(upstream):
    async with Asking(upstream) as asking:
        health = await asking.provider.health()
        assert (health.ok, health.detail, health.version) == (True, "ready", "1.2")
    assert upstream.requests[-1].path == "/health"


async def test_a_runtime_whose_engine_host_has_failed_is_not_well():
    health = {"status": "ok", "host": "failed", "cause": "killed by signal 9", "version": "1", "models": []}
    async with ScriptedUpstream(answering(health)) as upstream, Asking(upstream) as asking:
        found = await asking.provider.health()
        assert (found.ok, found.detail) == (False, "killed by signal 9")


async def test_another_server_at_its_address_is_not_taken_for_the_runtime():
    async with ScriptedUpstream(answering({"status": "ok"})) as upstream, Asking(upstream) as asking:
        found = await asking.provider.health()
        assert (found.ok, "not as a Universal Runtime does" in found.detail) == (False, True)


async def test_the_model_and_each_of_its_adapters_have_a_handle_of_their_own(runtime, upstream):
    adapters = [{"name": "pirate", "model": "org/pirate"}, {"name": "poet", "model": "org/poet", "scale": 0.5}]
    async with Asking(upstream, adapters=adapters) as asking:
        base = asking.entry
        for each in (base, *base.variants(), base):
            asking.entry = each
            await asking.chat()
        settings = [load["settings"] for load in runtime.loads]
        assert settings == [{}, {"adapter": "org/pirate"}, {"adapter": "org/poet", "adapter_scale": 0.5}]
        asking.entry = next(iter(base.variants()))
        runtime.pull_events = [pulled(fetched=True)]
        await asking.provider.pull(asking.call())
        assert runtime.pulls[0]["settings"] == {"adapter": "org/pirate"}


async def test_what_is_deleted_for_an_adapter_is_the_adapter(runtime, upstream):
    async with Asking(upstream, adapters=[{"name": "pirate", "model": "org/pirate"}]) as asking:
        [asking.entry] = asking.entry.variants()
        await asking.provider.remove(asking.call())
        assert asking.entry.own_files == "org/pirate"
        assert runtime.deleted == ["/v1/models/org%2Fpirate"]
