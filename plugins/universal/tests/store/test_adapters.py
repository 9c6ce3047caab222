"""Adapters of peft: a real store, real adapters, and a stand-in for the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadProgress, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.safetensors import count_parameters
from llamafarm_universal.store.adapters import base_of, is_adapter
from llamafarm_universal.store.plan import make_plan
from tiny_models import make_adapter


@pytest.fixture(scope="module")
def lora(llama_folder: Path, models_folder: Path) -> Path:
    """An adapter of `farm/base`."""
    return make_adapter(llama_folder, models_folder / "lora", "farm/base")


@pytest.fixture
def own(lora: Path, tmp_path: Path) -> Path:
    """A copy of the adapter that a test may change."""
    return shutil.copytree(lora, tmp_path / "own")


@pytest.fixture
def published(hub: Hub, store: Any, llama_folder: Path, own: Path) -> None:
    """The adapter and its base model on the hub, fetched by nobody."""
    hub.models |= {"farm/base": llama_folder, "farm/lora": own}
    for model in ("farm/base", "farm/lora"):
        store.remove(model)


def change(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def plan_of(adapter: Path, base: Path, **settings: Any) -> Any:
    return make_plan(ModelRef("farm/lora", LoadSettings(**settings)), base, Machine(), Limits(), adapter=adapter)


@pytest.mark.usefixtures("published")
def test_a_base_model_is_located_too_and_its_progress_is_told(store: Any, llama_folder: Path) -> None:
    answer = store.locate("farm/lora")
    plan = answer.plan
    texts = [event.text for event in answer.events if isinstance(event, LoadProgress)]
    assert list(dict.fromkeys(texts)) == ["Downloading farm/lora", "Downloading farm/base"]
    assert (plan.ref.id, plan.base, plan.task, plan.engine) == ("farm/lora", "farm/base", "text", "torch")
    assert "models--farm--base" in str(plan.folder)
    assert "models--farm--lora" in str(plan.adapter)
    assert plan.config["architectures"] == ["LlamaForCausalLM"]
    assert plan.parameters == count_parameters(llama_folder) + count_parameters(plan.adapter)
    assert plan.weight_bytes == 4 * plan.parameters


@pytest.mark.usefixtures("published")
def test_an_adapter_is_whole_when_its_base_model_is_here(store: Any, hub: Hub) -> None:
    assert store.pull("farm/lora").last.fetched
    assert store.describe("farm/lora")["farm/lora"].complete
    hub.asked.clear()
    assert not store.pull("farm/lora").last.fetched
    assert hub.asked == []
    assert store.remove("farm/base").last.freed_bytes
    assert not store.describe("farm/lora")["farm/lora"].complete


@pytest.mark.usefixtures("published")
def test_what_a_training_left_behind_is_not_fetched(store: Any, hub: Hub, own: Path) -> None:
    shutil.copytree(own, own / "checkpoint-500", ignore=shutil.ignore_patterns("checkpoint-*"))
    store.pull("farm/lora")
    assert not [path for path in hub.asked if "checkpoint-500" in path]


def test_a_base_model_that_is_nowhere_is_named(hub: Hub, store: Any, own: Path) -> None:
    change(own, base_model_name_or_path="farm/nowhere")
    hub.models["farm/orphan"] = own
    assert "farm/nowhere" in store.locate("farm/orphan").failed.message


def test_a_local_adapter_may_have_a_local_base_model(store: Any, own: Path, llama_folder: Path) -> None:
    change(own, base_model_name_or_path=str(llama_folder))
    assert store.locate(str(own)).plan.folder == llama_folder.resolve()
    shutil.copytree(llama_folder, own.parent / "base")
    change(own, base_model_name_or_path="../base")
    plan = store.locate(str(own)).plan
    assert (plan.folder, plan.adapter) == ((own.parent / "base").resolve(), own.resolve())


def test_an_adapter_of_the_hub_has_no_folder_read(own: Path) -> None:
    for path in ("/srv/private", "./private", "../../etc"):
        change(own, base_model_name_or_path=path)
        with pytest.raises(RequestFailed) as caught:
            base_of(ModelRef("farm/lora"), own)
        assert "a folder of its author's" in caught.value.message


@pytest.mark.parametrize("base", [None, "", 3, "a/../b"])
def test_a_base_model_that_is_none_is_an_error(own: Path, base: Any) -> None:
    change(own, base_model_name_or_path=base)
    with pytest.raises(RequestFailed):
        base_of(ModelRef("farm/lora"), own)


def test_the_base_model_has_the_settings_but_the_trust_and_the_revision(own: Path) -> None:
    change(own, revision="abc")
    settings = LoadSettings(dtype="bf16", trust_remote_code=True, revision="v1")
    assert base_of(ModelRef("farm/lora", settings), own) == ModelRef(
        "farm/base", LoadSettings(dtype="bf16", revision="abc")
    )


def test_a_pickled_adapter_is_refused(own: Path, llama_folder: Path) -> None:
    (own / "adapter_model.safetensors").rename(own / "adapter_model.bin")
    with pytest.raises(RequestFailed, match=r"`adapter_model\.bin`, a format that can execute code"):
        plan_of(own, llama_folder)


def test_a_pickled_adapter_beside_other_safetensors_is_refused(own: Path, llama_folder: Path) -> None:
    (own / "checkpoint-1").mkdir()
    (own / "adapter_model.safetensors").rename(own / "checkpoint-1" / "adapter_model.safetensors")
    (own / "adapter_model.bin").touch()
    with pytest.raises(RequestFailed, match=r"no adapter_model\.safetensors"):
        plan_of(own, llama_folder)


def test_code_is_refused_in_the_adapter_and_in_its_base_model_whatever_is_trusted(
    own: Path, copy_of: Callable[..., Path]
) -> None:
    base = copy_of()
    path = base / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": {"AutoModelForCausalLM": "mine.Mine"}}))
    with pytest.raises(RequestFailed, match="own Python code") as caught:
        plan_of(own, base, trust_remote_code=True)
    assert "merge_and_unload" in (caught.value.hint or "")
    change(own, auto_mapping={"base_model_class": "Evil", "parent_library": "evil.module"})
    with pytest.raises(RequestFailed, match=r"evil\.module"):
        base_of(ModelRef("farm/lora"), own)


def test_an_adapter_of_an_adapter_is_refused(own: Path) -> None:
    with pytest.raises(RequestFailed, match="adapter of another adapter"):
        plan_of(own, own)


def test_an_adapter_that_no_engine_heeds_is_refused(own: Path, llama_folder: Path) -> None:
    (own / "modules.json").write_text("[]")
    with pytest.raises(RequestFailed, match="No engine here puts the adapter `farm/lora`") as caught:
        plan_of(own, llama_folder)
    assert caught.value.kind == "not_supported"


@pytest.mark.parametrize("part", ["", "0_Transformer"])
def test_an_adapter_within_a_model_is_refused(own: Path, copy_of: Callable[..., Path], part: str) -> None:
    folder = copy_of()
    (folder / "modules.json").write_text("[]")
    (folder / part).mkdir(exist_ok=True)
    shutil.copy(own / "adapter_config.json", folder / part)
    assert not is_adapter(folder)
    with pytest.raises(RequestFailed, match="has an adapter within it"):
        make_plan(ModelRef(str(folder)), folder, Machine(), Limits())
