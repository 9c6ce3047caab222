"""Fetching and deleting models: a real store, the real hub library, and a stand-in for the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import (
    LoadProgress,
    Locate,
    Located,
    Machine,
    ModelRef,
    Pull,
    Pulled,
    Removed,
    Stored,
)
from llamafarm_universal.store.downloads import Downloads

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def new_model(hub: Hub, store: Any, copy_of: Callable[..., Path]) -> Iterator[None]:
    """The hub with a model `farm/new` that nobody has fetched yet."""
    hub.models["farm/new"] = copy_of()
    hub.ranges.clear()
    hub.asked.clear()
    hub.holding.clear()
    hub.closed.clear()
    yield
    hub.held.clear()
    hub.damaged.clear()
    store.remove("farm/new")


def folder(store: Any) -> Path:
    return Path(store.cache) / "models--farm--new"


def size(hub: Hub) -> int:
    return sum(len(data) for data in hub.files("farm/new").values())


def half(hub: Hub) -> int:
    return len(hub.files("farm/new")[WEIGHTS]) // 2


def copied_weights(store: Any) -> bytes:
    (found,) = folder(store).glob(f"snapshots/*/{WEIGHTS}")
    return bytes(found.read_bytes())


def hold(hub: Hub, store: Any, *request_ids: str) -> None:
    """Begin a pull for each id; the hub hardly goes on from the middle of the weights."""
    hub.held.add(WEIGHTS)
    for request_id in request_ids:
        store.send(Pull(request_id, ModelRef("farm/new")))
    assert hub.holding.wait(30)


def test_a_model_is_fetched_with_progress(hub: Hub, store: Any) -> None:
    answer = store.pull("farm/new")
    progress = [event for event in answer.events if isinstance(event, LoadProgress)]
    done = [event.done for event in progress]
    assert done == sorted(done)
    assert (progress[-1].done, progress[-1].total) == (size(hub), size(hub))
    assert (WEIGHTS, 1, 1) in [(event.file, event.index, event.count) for event in progress]
    assert answer.last == Pulled(answer.last.request_id, True, size(hub))
    assert hub.ranges[WEIGHTS] == [None]


def test_what_is_there_is_not_fetched_again(hub: Hub, store: Any) -> None:
    store.pull("farm/new")
    hub.asked.clear()
    again = store.pull("farm/new").last
    assert (again.fetched, again.size_bytes) == (False, size(hub))
    assert hub.asked == []


def test_a_download_that_is_cut_off_asks_for_the_rest(hub: Hub, store: Any) -> None:
    hub.cuts[WEIGHTS] = 1
    assert isinstance(store.pull("farm/new").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None, f"bytes={half(hub)}-"]
    assert copied_weights(store) == hub.files("farm/new")[WEIGHTS]


def test_who_goes_away_ends_the_download_and_the_next_one_goes_on(hub: Hub, store: Any) -> None:
    hold(hub, store, "left")
    store.cancel("left")
    assert hub.closed.wait(30), "the connection to the hub is closed"
    hub.held.clear()
    assert isinstance(store.pull("farm/new").last, Pulled)
    first, second = hub.ranges[WEIGHTS]
    assert first is None
    assert half(hub) <= int(second.removeprefix("bytes=").removesuffix("-")) < 2 * half(hub)
    assert copied_weights(store) == hub.files("farm/new")[WEIGHTS]


def test_two_who_pull_one_model_share_the_download_and_one_may_leave(hub: Hub, store: Any) -> None:
    hold(hub, store, "one", "two")
    store.cancel("one")
    hub.held.clear()
    hub.release.set()
    assert isinstance(store.answer("two").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None]


def test_a_file_that_came_damaged_is_not_kept(hub: Hub, store: Any) -> None:
    hub.damaged.add(WEIGHTS)
    assert "checksum" in store.pull("farm/new").failed.message
    hub.damaged.clear()
    assert isinstance(store.pull("farm/new").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None, None]


def test_a_full_disk_is_named(hub: Hub, store: Any) -> None:
    hold(hub, store, "left")
    store.cancel("left")
    assert hub.closed.wait(30)
    hub.held.clear()
    (partial,) = folder(store).glob("blobs/*.llamafarm-partial")
    partial.unlink()
    partial.symlink_to("/dev/full")
    failed = store.pull("farm/new").failed
    assert "disk is full" in failed.message
    assert "Make room" in (failed.hint or "")


def test_what_the_hub_refuses_is_explained_as_for_a_load(hub: Hub, store: Any) -> None:
    hub.refusals["farm/closed"] = (403, "GatedRepo")
    failed = store.pull("farm/closed").failed
    assert (failed.kind, "gated" in failed.message) == ("model_not_found", True)
    assert store.pull("farm/nowhere").failed.kind == "model_not_found"


def test_a_folder_is_there_already(store: Any, llama_folder: Path) -> None:
    last = store.pull(str(llama_folder)).last
    assert (last.fetched, last.size_bytes) == (False, sum(file.stat().st_size for file in llama_folder.iterdir()))
    assert store.pull(str(llama_folder / "nothing")).failed.kind == "model_not_found"


def test_a_deleted_model_leaves_nothing(hub: Hub, store: Any) -> None:
    store.pull("farm/new")
    last = store.remove("farm/new").last
    assert last == Removed(last.request_id, size(hub))
    assert not folder(store).exists()
    assert not (Path(store.cache) / ".locks" / folder(store).name).exists()
    assert store.remove("farm/new").failed.kind == "model_not_found"


def test_a_duplicate_which_has_the_same_commit_stays(hub: Hub, store: Any) -> None:
    """The stand-in has one commit for all models, as the hub has for a model and its duplicates."""
    duplicates = [f"farm/duplicate{i}" for i in range(4)]
    for model in duplicates:
        hub.models[model] = hub.models["farm/new"]
    for model in ("farm/new", *duplicates):
        store.pull(model)
    store.remove("farm/new")
    assert set(store.describe("farm/new", *duplicates)) == set(duplicates)


def test_what_came_in_part_is_deleted_too(hub: Hub, store: Any) -> None:
    hold(hub, store, "left")
    store.cancel("left")
    assert hub.closed.wait(30)
    assert store.remove("farm/new").last.freed_bytes >= half(hub)
    assert not folder(store).exists()


def test_a_model_that_is_being_fetched_is_not_deleted(hub: Hub, store: Any) -> None:
    hold(hub, store, "fetching")
    failed = store.remove("farm/new").failed
    assert (failed.kind, "being downloaded" in failed.message) == ("in_use", True)
    store.cancel("fetching")
    assert hub.closed.wait(30)


def test_a_model_that_somebody_reads_is_not_deleted(tmp_path: Path) -> None:
    environ = {"HF_HUB_CACHE": str(tmp_path)}
    downloads = Downloads(environ)
    with downloads.kept("farm/new"), pytest.raises(RequestFailed, match="`farm/new` is being loaded") as refused:
        asyncio.run(downloads.remove("farm/new"))
    assert refused.value.kind == "in_use"
    with pytest.raises(RequestFailed, match="nothing to delete"):
        asyncio.run(downloads.remove("farm/new"))


@pytest.mark.parametrize("model", ["/srv/model", "./model", "package:torch/utils", "../../etc", "a/../b", "a--b"])
def test_only_models_of_the_hub_are_deleted(store: Any, model: str) -> None:
    assert store.remove(model).failed.kind == "invalid_request"


def test_a_link_out_of_the_cache_is_not_followed(store: Any, copy_of: Callable[..., Path]) -> None:
    outside = copy_of("outside")
    link = Path(store.cache) / "models--farm--link"
    link.symlink_to(outside)
    assert "leads out" in store.remove("farm/link").failed.message
    assert (outside / WEIGHTS).is_file()
    link.unlink()


def test_who_pulls_and_who_locates_share_one_download(hub: Hub, store: Any) -> None:
    hold(hub, store, "pull")
    store.send(Locate("locate", ModelRef("farm/new"), Machine()))
    store.cancel("pull")
    hub.held.clear()
    hub.release.set()
    assert isinstance(store.answer("locate").last, Located)
    assert hub.ranges[WEIGHTS] == [None]


def test_a_second_command_of_the_same_id_is_ignored(hub: Hub, store: Any) -> None:
    hold(hub, store, "same", "same")
    hub.held.clear()
    hub.release.set()
    assert isinstance(store.answer("same").last, Pulled)
    assert not [event for event in store.others if event.request_id == "same"]


def test_what_is_on_the_disk_is_told_without_the_network(hub: Hub, store: Any, llama_folder: Path) -> None:
    assert store.describe("farm/new", "no such id!") == {}
    store.pull("farm/new")
    hub.asked.clear()
    told = store.describe("farm/new", "farm/nowhere", str(llama_folder))
    assert told == {"farm/new": Stored(True, size(hub)), str(llama_folder): Stored(True, size(hub))}
    assert hub.asked == []


def test_a_store_that_is_killed_in_a_download_leaves_what_has_come(
    hub: Hub, store: Any, start_store: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with start_store() as killed:
        hold(hub, killed, "pull")
        while getattr(killed.next(), "done", 0) < half(hub):
            pass
        killed.process.kill()
        assert hub.closed.wait(30)
    hub.held.clear()
    with start_store() as second:
        assert isinstance(second.pull("farm/new").last, Pulled)
    first, rest = hub.ranges[WEIGHTS]
    assert first is None
    assert int(rest.removeprefix("bytes=").removesuffix("-")) > 1000
