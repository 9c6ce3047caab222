"""The models of a project: looked at, fetched and deleted, over real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable

import httpx
import openai
import pytest
from llamafarm.api.registry import Projects
from llamafarm.api.settings import Limits
from llamafarm.errors import ConfigError, ModelNotFound, UpstreamError
from llamafarm.project import BrokenEntry, Project
from llamafarm.providers.base import ModelInfo, Progress
from llamafarm.providers.entry import ModelEntry
from llamafarm.wire import sse
from llamafarm_kit.testing.scripted import ScriptedProvider

BOUND = 20.0
PREFIXES = ["", "/projects/default/shop"]
NAMES = ["org/repo:Q4_K_M", "qwen3:8b"]
FIRST = Progress("downloading", "pulling a.gguf", 1, 3, "a.gguf", 1, 2)
SECOND = Progress("downloading", "pulling b.gguf", 2, 3, "b.gguf", 2, 2)
DONE = {"id": "small", "object": "model", "pulled": True}


class Shelf(ScriptedProvider):
    """Has the models that were put into it.

    gate: a pull waits for it after its first step; that of `quiet` tells none.
    """

    def __init__(self, *models: str, gate: threading.Event | None = None):
        super().__init__()
        self.models = set(models)
        self.gate = gate
        self.error: Exception | None = None
        self.ended = threading.Event()

    async def describe(self, model: str) -> ModelInfo:
        self._find(model)
        return ModelInfo(model, frozenset({"tools", "chat"}), 4096, 10, True, 12, True)

    async def pull(self, call) -> None:
        if call.entry.model == "nobody/nothing":
            raise ModelNotFound("there is no nobody/nothing")
        if call.entry.model != "quiet":
            call.progress(FIRST)
        try:
            while self.gate is not None and not self.gate.is_set():  # noqa: ASYNC110 - the test's thread sets it
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.ended.set()
            raise
        if self.error is not None:
            raise self.error
        call.progress(SECOND)
        self.models.add(call.entry.model)

    async def remove(self, call) -> None:
        self._find(call.entry.model)
        self.models.remove(call.entry.model)

    def _find(self, model: str) -> None:
        if model not in self.models:
            raise ModelNotFound(f"there is no {model}")


def url(server, path: str, prefix: str = "") -> str:
    return f"{server.url}{prefix}/models{path}"


def pull(server, body: dict, prefix: str = "") -> httpx.Response:
    return httpx.post(url(server, "/pull", prefix), json=body, timeout=BOUND)


def events(text: str) -> list[sse.Event]:
    return [event for frame in text.split("\n\n") if (event := sse.parse(frame.encode()))]


def within_bound(condition: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_pull_is_one_event_for_each_step_and_done(serve, prefix):
    shelf = Shelf()
    answer = pull(serve(shelf), {"model": "small"}, prefix)

    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert json.loads(told[0].data) == {
        "stage": "downloading",
        "text": "pulling a.gguf",
        "done": 1,
        "total": 3,
        "file": "a.gguf",
        "index": 1,
        "count": 2,
    }
    assert json.loads(told[1].data)["file"] == "b.gguf"
    assert (told[2].name, json.loads(told[2].data)) == ("done", DONE)
    assert len(told) == 3
    assert shelf.models == {"scripted-small"}


def test_a_pull_that_is_not_streamed_answers_when_all_is_there(serve):
    answer = pull(serve(Shelf()), {"model": "small", "stream": False})

    assert (answer.status_code, answer.json()) == (200, DONE)


@pytest.mark.parametrize("name", NAMES)
def test_a_runtimes_own_id_is_pulled_shown_and_deleted_where_its_provider_is_named(serve, name):
    shelf = Shelf()
    server = serve(shelf)
    pulled = pull(server, {"model": name, "provider": "scripted"})
    shown = httpx.get(url(server, f"/{name}"), params={"provider": "scripted", "status": "true"})
    deleted = httpx.delete(url(server, f"/{name}"), params={"provider": "scripted"})

    assert events(pulled.text)[-1].name == "done"
    assert (shown.json()["id"], shown.json()["status"]["state"]) == (name, "loaded")
    assert deleted.json() == {"id": name, "object": "model", "deleted": True}
    assert shelf.models == set()


def test_an_error_before_the_first_step_is_a_status(serve):
    answer = pull(serve(Shelf()), {"model": "nobody/nothing", "provider": "scripted"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_an_error_after_it_is_the_last_event(serve):
    shelf = Shelf(gate=threading.Event())
    shelf.error = UpstreamError("the disk is full")
    server = serve(shelf)
    told = []
    with httpx.stream("POST", url(server, "/pull"), json={"model": "small"}, timeout=BOUND) as answer:
        for line in answer.iter_lines():
            shelf.gate.set()
            told += [json.loads(line[6:])] if line.startswith("data: ") else []

    assert told[0]["text"] == "pulling a.gguf"
    assert told[-1]["error"]["message"] == "the disk is full"
    assert len(told) == 2


def test_a_client_that_goes_away_ends_the_pull(serve):
    shelf = Shelf(gate=threading.Event())
    with httpx.stream("POST", url(serve(shelf), "/pull"), json={"model": "small"}, timeout=BOUND) as answer:
        next(answer.iter_lines())

    within_bound(shelf.ended.is_set)
    assert shelf.models == set()


@pytest.mark.parametrize("body", [{"model": "small", "stream": False}, {"model": "quiet", "provider": "scripted"}])
def test_one_that_goes_away_before_anything_was_answered_ends_it_too(serve, body):
    shelf = Shelf(gate=threading.Event())
    server = serve(shelf)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url(server, "/pull"), json=body, timeout=httpx.Timeout(BOUND, read=0.2))

    within_bound(shelf.ended.is_set)
    assert shelf.models == set()


def test_two_pulls_at_once_do_not_wait_for_each_other(serve):
    shelf = Shelf(gate=threading.Event())
    server = serve(shelf)
    with httpx.stream("POST", url(server, "/pull"), json={"model": "small"}, timeout=BOUND) as one:
        first = one.iter_lines()
        next(first)
        with httpx.stream("POST", url(server, "/pull"), json={"model": "large"}, timeout=BOUND) as other:
            second = other.iter_lines()
            assert "pulling" in next(second)
            shelf.gate.set()
            assert "event: done" in list(second)
        assert "event: done" in list(first)

    assert set(shelf.models) == {"scripted-small", "scripted-large"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"model": "small", "provider": ["scripted"]}, "provider"),
        ({"model": "small", "stream": "no"}, "stream"),
        ({"model": "small", "model_name": "small"}, "model_name"),
    ],
)
def test_a_wrong_request_for_a_pull_names_the_field(shop, body, param):
    answer = pull(shop, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_provider_that_cannot_pull_says_so(shop):
    answer = pull(shop, {"model": "small"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "operation_not_supported")


def test_an_unknown_name_is_an_error_with_the_providers(shop):
    answer = pull(shop, {"model": "qwen3:8b"})

    assert answer.status_code == 404
    assert "scripted" in answer.json()["error"]["message"]


def test_an_empty_name_deletes_nothing(serve):
    shelf = Shelf("scripted-small")
    answer = httpx.delete(url(serve(shelf), "/"))

    assert answer.status_code == 404
    assert shelf.models == {"scripted-small"}


def test_what_the_runtimes_say_is_there_where_it_is_asked_for(serve):
    odd = BrokenEntry("odd", "nobody", "x", ConfigError("line 3 is wrong"))
    small = ModelEntry(name="small", provider="scripted", model="scripted-small")
    gone = ModelEntry(name="gone", provider="scripted", model="scripted-gone")
    server = serve(Shelf("scripted-small"), project=Project("shop", "default", None, (small, gone, odd)))
    plain = httpx.get(url(server, "")).json()["data"]
    told = httpx.get(url(server, ""), params={"status": "true"}).json()["data"]
    one = httpx.get(url(server, "/small"), params={"status": "true"}).json()

    assert [row["id"] for row in plain] == ["small", "gone", "odd"]
    assert not any("status" in row for row in plain)
    assert [row["status"]["state"] for row in told] == ["loaded", "missing", "broken"]
    assert told[1]["status"]["detail"] == "there is no scripted-gone"
    assert told[2]["status"]["detail"] == "line 3 is wrong"
    assert one["status"] == {
        "state": "loaded",
        "detail": "",
        "id": "scripted-small",
        "features": ["chat", "tools"],
        "context_length": 4096,
        "size_bytes": 10,
        "loaded": True,
        "memory_bytes": 12,
        "downloaded": True,
        "structured": None,
        "details": {},
    }


def test_what_was_said_before_a_model_was_deleted_is_not_said_again(serve, monkeypatch):
    monkeypatch.setattr("llamafarm.api.recent.FRESH_SECONDS", 60)
    small = ModelEntry(name="small", provider="scripted", model="scripted-small")
    server = serve(Shelf("scripted-small"), project=Project("shop", "default", None, (small,)))
    states = []
    for _ in range(2):
        told = httpx.get(url(server, ""), params={"status": "true"}).json()["data"]
        states.append(told[0]["status"]["state"])
        httpx.delete(url(server, "/small"))
    assert states == ["loaded", "missing"]


def test_a_status_that_is_neither_is_refused(shop):
    assert httpx.get(url(shop, ""), params={"status": "maybe"}).json()["error"]["param"] == "status"


def test_a_server_without_a_project_fetches_for_a_provider_that_is_named(serve):
    shelf = Shelf()
    server = serve(shelf, projects=Projects(None))

    assert events(pull(server, {"model": "qwen3:8b", "provider": "scripted"}).text)[-1].name == "done"
    assert shelf.models == {"qwen3:8b"}
    assert pull(server, {"model": "qwen3:8b"}).json()["error"]["code"] == "project_not_found"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_key_is_asked_for_before_anything_is_fetched_or_deleted(serve, method):
    shelf = Shelf("scripted-small")
    server = serve(shelf, limits=Limits(api_key="sk-1"))
    path = "/pull" if method == "POST" else "/small"
    answer = httpx.request(method, url(server, path), json={"model": "large"})

    assert answer.status_code == 401
    assert shelf.models == {"scripted-small"}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_foreign_web_page_fetches_and_deletes_nothing(serve, method):
    shelf = Shelf("scripted-small")
    path = "/pull" if method == "POST" else "/small"
    origin = {"Origin": "https://evil.example"}
    answer = httpx.request(method, url(serve(shelf), path), json={"model": "large"}, headers=origin)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert shelf.models == {"scripted-small"}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["small", *NAMES])
def test_openais_client_lists_retrieves_and_deletes(serve, prefix, name):
    entry = ModelEntry(name=name, provider="scripted", model=f"runtime/{name}")
    shelf = Shelf(entry.model)
    server = serve(shelf, project=Project("shop", "default", None, (entry,)))
    with openai.OpenAI(base_url=server.url + prefix, api_key="none", max_retries=0) as api:
        assert [row.id for row in api.models.list(extra_query={"status": "true"})] == [name]
        assert api.models.retrieve(name).id == name
        deleted = api.models.delete(name)
        with pytest.raises(openai.NotFoundError, match="there is no"):
            api.models.delete(name)

    assert (deleted.id, deleted.object, deleted.deleted) == (name, "model", True)
    assert shelf.models == set()
