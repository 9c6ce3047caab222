"""Fetching and deleting models: a real host, the real hub library, and a stand-in for the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from llamafarm_universal.messages import Generate, LoadProgress, ModelRef, Pull, Pulled, Removed, Run, TextPrompt

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def new_model(hub: Hub, hub_host: Any, copy_of: Callable[..., Path]) -> Iterator[None]:
    """The hub with a model `farm/new` that nobody has fetched yet."""
    hub.models["farm/new"] = copy_of()
    hub.ranges.clear()
    hub.asked.clear()
    hub.holding.clear()
    hub.closed.clear()
    yield
    hub.held.clear()
    hub.damaged.clear()
    hub_host.remove("farm/new")


def folder(hub_host: Any) -> Path:
    return Path(hub_host.cache) / "models--farm--new"


def size(hub: Hub) -> int:
    return sum(len(data) for data in hub.files("farm/new").values())


def half(hub: Hub) -> int:
    return len(hub.files("farm/new")[WEIGHTS]) // 2


def copied_weights(hub_host: Any) -> bytes:
    (found,) = folder(hub_host).glob(f"snapshots/*/{WEIGHTS}")
    return bytes(found.read_bytes())


def is_loaded(hub_host: Any) -> bool:
    return "farm/new" in [model.ref.id for model in hub_host.models]


def hold(hub: Hub, hub_host: Any, *request_ids: str) -> None:
    """Begin a pull for each id; the hub hardly goes on from the middle of the weights."""
    hub.held.add(WEIGHTS)
    for request_id in request_ids:
        hub_host.send(Pull(request_id, ModelRef("farm/new")))
    assert hub.holding.wait(30)


def test_a_model_is_fetched_with_progress_and_not_loaded(hub: Hub, hub_host: Any) -> None:
    answer = hub_host.pull("farm/new")
    progress = [event for event in answer.events if isinstance(event, LoadProgress)]
    done = [event.done for event in progress]
    assert done == sorted(done)
    assert (progress[-1].done, progress[-1].total) == (size(hub), size(hub))
    assert (WEIGHTS, 1, 1) in [(event.file, event.index, event.count) for event in progress]
    assert answer.last == Pulled(answer.last.request_id, True, size(hub))
    assert not is_loaded(hub_host)
    assert hub.ranges[WEIGHTS] == [None]


def test_what_is_there_is_not_fetched_again(hub: Hub, hub_host: Any) -> None:
    hub_host.pull("farm/new")
    hub.asked.clear()
    again = hub_host.pull("farm/new").last
    assert (again.fetched, again.size_bytes) == (False, size(hub))
    assert hub.asked == []


def test_a_download_that_is_cut_off_asks_for_the_rest(hub: Hub, hub_host: Any) -> None:
    hub.cuts[WEIGHTS] = 1
    assert isinstance(hub_host.pull("farm/new").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None, f"bytes={half(hub)}-"]
    assert copied_weights(hub_host) == hub.files("farm/new")[WEIGHTS]


def test_who_goes_away_ends_the_download_and_the_next_one_goes_on(hub: Hub, hub_host: Any) -> None:
    hold(hub, hub_host, "left")
    hub_host.cancel("left")
    assert hub.closed.wait(30), "the connection to the hub is closed"
    hub.held.clear()
    assert isinstance(hub_host.pull("farm/new").last, Pulled)
    first, second = hub.ranges[WEIGHTS]
    assert first is None
    assert half(hub) <= int(second.removeprefix("bytes=").removesuffix("-")) < 2 * half(hub)
    assert copied_weights(hub_host) == hub.files("farm/new")[WEIGHTS]


def test_two_who_pull_one_model_share_the_download_and_one_may_leave(hub: Hub, hub_host: Any) -> None:
    hold(hub, hub_host, "one", "two")
    hub_host.cancel("one")
    hub.held.clear()
    hub.release.set()
    assert isinstance(hub_host.answer("two").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None]


def test_a_file_that_came_damaged_is_not_kept(hub: Hub, hub_host: Any) -> None:
    hub.damaged.add(WEIGHTS)
    assert "checksum" in hub_host.pull("farm/new").failed.message
    hub.damaged.clear()
    assert isinstance(hub_host.pull("farm/new").last, Pulled)
    assert hub.ranges[WEIGHTS] == [None, None]


def test_a_full_disk_is_named(hub: Hub, hub_host: Any) -> None:
    hold(hub, hub_host, "left")
    hub_host.cancel("left")
    assert hub.closed.wait(30)
    hub.held.clear()
    (partial,) = folder(hub_host).glob("blobs/*.llamafarm-partial")
    partial.unlink()
    partial.symlink_to("/dev/full")
    failed = hub_host.pull("farm/new").failed
    assert "disk is full" in failed.message
    assert "Make room" in (failed.hint or "")


def test_what_the_hub_refuses_is_explained_as_for_a_load(hub: Hub, hub_host: Any) -> None:
    hub.refusals["farm/closed"] = (403, "GatedRepo")
    failed = hub_host.pull("farm/closed").failed
    assert (failed.kind, "gated" in failed.message) == ("model_not_found", True)
    assert hub_host.pull("farm/nowhere").failed.kind == "model_not_found"


def test_a_folder_is_there_already(hub_host: Any, llama_folder: Path) -> None:
    last = hub_host.pull(str(llama_folder)).last
    assert (last.fetched, last.size_bytes) == (False, sum(file.stat().st_size for file in llama_folder.iterdir()))
    assert hub_host.pull(str(llama_folder / "nothing")).failed.kind == "model_not_found"


def test_a_deleted_model_leaves_nothing(hub: Hub, hub_host: Any) -> None:
    hub_host.pull("farm/new")
    last = hub_host.remove("farm/new").last
    assert last == Removed(last.request_id, size(hub))
    assert not folder(hub_host).exists()
    assert not (Path(hub_host.cache) / ".locks" / folder(hub_host).name).exists()
    assert hub_host.remove("farm/new").failed.kind == "model_not_found"


def test_what_came_in_part_is_deleted_too(hub: Hub, hub_host: Any) -> None:
    hold(hub, hub_host, "left")
    hub_host.cancel("left")
    assert hub.closed.wait(30)
    assert hub_host.remove("farm/new").last.freed_bytes >= half(hub)
    assert not folder(hub_host).exists()


def test_a_loaded_model_is_unloaded_first_and_its_answers_end_as_they_would(hub: Hub, hub_host: Any) -> None:
    ref = ModelRef("farm/new")
    hub_host.load(ref)
    hub_host.send(Run("answer", ref, Generate(TextPrompt("hello"))))
    assert isinstance(hub_host.remove("farm/new").last, Removed)
    assert any(getattr(event, "reason", None) for event in hub_host.others), "the answer ended before"
    hub_host.answer("answer")
    assert not is_loaded(hub_host)
    assert not folder(hub_host).exists()


def test_a_model_that_is_being_fetched_is_not_deleted(hub: Hub, hub_host: Any) -> None:
    hold(hub, hub_host, "fetching")
    failed = hub_host.remove("farm/new").failed
    assert (failed.kind, "being downloaded" in failed.message) == ("in_use", True)
    hub_host.cancel("fetching")
    assert hub.closed.wait(30)


@pytest.mark.parametrize("model", ["/srv/model", "./model", "package:torch/utils", "../../etc", "a/../b", "a--b"])
def test_only_models_of_the_hub_are_deleted(hub_host: Any, model: str) -> None:
    assert hub_host.remove(model).failed.kind == "invalid_request"


def test_a_link_out_of_the_cache_is_not_followed(hub_host: Any, copy_of: Callable[..., Path]) -> None:
    outside = copy_of("outside")
    link = Path(hub_host.cache) / "models--farm--link"
    link.symlink_to(outside)
    assert "leads out" in hub_host.remove("farm/link").failed.message
    assert (outside / WEIGHTS).is_file()
    link.unlink()
