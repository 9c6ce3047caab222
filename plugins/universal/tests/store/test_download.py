"""Models of the hub: a stand-in for it on a real socket, and the real hub library."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from diffusion_models import make_stable_diffusion
from hub_server import COMMIT, Hub
from llamafarm_universal.messages import LoadProgress, LoadSettings, Locate, Machine, ModelRef
from llamafarm_universal.store.cache import cache_folder


@pytest.fixture
def unreachable(start_store: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store that cannot reach the hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with start_store() as store:
        yield store


def test_a_model_is_downloaded_with_progress_and_then_found_without_the_network(
    hub: Hub, store: Any, llama_folder: Path
) -> None:
    ref = ModelRef("farm/tiny")
    answer = store.locate(ref)
    assert answer.plan.task == "text"
    progress = [event for event in answer.events if isinstance(event, LoadProgress) and event.stage == "downloading"]
    done = [event.done for event in progress]
    size = sum(path.stat().st_size for path in llama_folder.iterdir())
    assert done == sorted(done)
    assert progress[-1].done == progress[-1].total == size
    assert "Bearer hf_stand_in" in hub.tokens
    assert any(store.cache.rglob("model.safetensors")), "TRANSFORMERS_CACHE is honoured"

    hub.asked.clear()
    again = store.locate(ref)
    assert again.plan.task == "text"
    assert hub.asked == []


def test_only_safetensors_and_what_goes_with_them_are_downloaded(
    hub: Hub, store: Any, copy_of: Callable[..., Path]
) -> None:
    folder = copy_of()
    for name in ("pytorch_model.bin", "modeling_evil.py", "consolidated.safetensors", "README.md"):
        (folder / name).write_bytes(b"unwanted")
    hub.models["farm/crowded"] = folder
    assert store.locate(ModelRef("farm/crowded")).plan.task == "text"
    fetched = {Path(path).name for path in hub.asked if "crowded/resolve" in path}
    assert "model.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "modeling_evil.py", "consolidated.safetensors", "README.md"}


def test_of_a_pipeline_its_parts_are_downloaded_and_no_second_copy_of_them(
    hub: Hub, store: Any, tmp_path: Path
) -> None:
    folder = make_stable_diffusion(tmp_path / "pipeline")
    (folder / "safety_checker").mkdir()
    for name in ("v1-5-pruned-emaonly.safetensors", "safety_checker/model.safetensors", "unet/x.fp16.safetensors"):
        shutil.copy(folder / "unet" / "diffusion_pytorch_model.safetensors", folder / name)
    hub.models["farm/painter"] = folder
    assert store.locate(ModelRef("farm/painter")).plan.task == "diffusion"
    fetched = {path.partition(f"resolve/{COMMIT}/")[2] for path in hub.asked if "painter/resolve" in path}
    weights = {name for name in fetched if name.endswith(".safetensors")}
    parts = {"unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"}
    assert weights == {f"{part}.safetensors" for part in parts}


def test_a_copy_that_lacks_a_shard_is_completed(hub: Hub, store: Any) -> None:
    ref = ModelRef("farm/tiny")
    store.locate(ref)
    (weights,) = store.cache.glob("models--farm--tiny/snapshots/*/model.safetensors")
    weights.resolve().unlink()
    weights.unlink()
    assert store.locate(ref).plan.task == "text"


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": 3}'])
def test_an_index_that_cannot_be_read_is_no_fault_of_the_store(
    hub: Hub, store: Any, copy_of: Callable[..., Path], index: str
) -> None:
    hub.models["farm/broken"] = copy_of()
    (hub.models["farm/broken"] / "model.safetensors.index.json").write_text(index)
    assert store.pull("farm/broken").last.fetched
    assert not store.describe("farm/broken")["farm/broken"].complete
    store.remove("farm/broken")


@pytest.mark.parametrize(
    ("refusal", "said", "hint"),
    [
        ((403, "GatedRepo"), "gated", "HF_TOKEN"),
        ((401, "RepoNotFound"), "no model", "spelling"),
        ((404, "RepoNotFound"), "no model", "spelling"),
        ((404, "RevisionNotFound"), "no revision", "branches"),
        ((503, ""), "status 503", "network"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    hub: Hub, store: Any, refusal: tuple[int, str], said: str, hint: str
) -> None:
    hub.refusals["farm/refused"] = refusal
    failed = store.locate(ModelRef("farm/refused", LoadSettings(revision="v1"))).failed
    assert failed.kind == "model_not_found"
    assert said in failed.message
    assert "farm/refused" in failed.message
    assert hint in (failed.hint or "")


def test_a_model_that_is_neither_here_nor_reachable_says_both(unreachable: Any) -> None:
    failed = unreachable.locate(ModelRef("farm/elsewhere")).failed
    assert failed.kind == "model_not_found"
    assert "not on this machine" in failed.message
    assert "http://127.0.0.1:9 cannot be reached" in failed.message
    assert "local copy" in (failed.hint or "")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_not_there_is_a_hub_that_cannot_be_reached(
    start_store: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.test")
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with start_store() as store:
        failed = store.locate(ModelRef("farm/elsewhere")).failed
    assert failed.kind == "model_not_found"
    assert "http://hub.test cannot be reached" in failed.message


def test_offline_mode_is_named_as_the_cause(
    start_store: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with start_store() as store:
        failed = store.locate(ModelRef("farm/elsewhere")).failed
    assert (failed.kind, "offline mode" in failed.message) == ("model_not_found", True)


def test_a_download_that_nobody_waits_for_ends(hub: Hub, store: Any, copy_of: Callable[..., Path]) -> None:
    hub.models["farm/left"] = copy_of()
    store.send(Locate("left", ModelRef("farm/left"), Machine()))
    store.cancel("left")
    assert store.locate(ModelRef("farm/tiny")).plan.task == "text"
    assert not [event for event in store.others if event.request_id == "left" and event.is_last]


def test_the_cache_is_where_the_variable_of_the_highest_rank_says() -> None:
    assert cache_folder({}) is None
    assert cache_folder({"TRANSFORMERS_CACHE": "/one"}) == "/one"
    assert cache_folder({"TRANSFORMERS_CACHE": "/one", "HF_HOME": "/two"}) is None
    assert cache_folder({"TRANSFORMERS_CACHE": "/one", "HF_HUB_CACHE": "/two"}) is None
    assert cache_folder({"TRANSFORMERS_CACHE": "~/models"}) == str(Path("~/models").expanduser())
