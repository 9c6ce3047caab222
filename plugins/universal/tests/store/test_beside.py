"""Adapters that a model's settings name: found and fetched with it, weighed, and refused by their own setting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusion_models import make_stable_diffusion
from hub_server import Hub
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.messages import LoadProgress, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.beside import weights_of
from llamafarm_universal.store.plan import make_plan
from lora_models import make_kind
from safetensors.numpy import save_file


@pytest.fixture(scope="module")
def lora(llama_folder: Path, models_folder: Path) -> Path:
    folder = make_kind(llama_folder, models_folder / "beside_adapter", "wide")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "farm/base"}))
    return folder


@pytest.fixture(scope="module")
def pipeline_folder(models_folder: Path) -> Path:
    return make_stable_diffusion(models_folder / "beside_pipeline")


@pytest.fixture
def published(hub: Hub, store: Any, llama_folder: Path, lora: Path) -> None:
    """A model and an adapter on the hub, fetched by nobody."""
    hub.models |= {"farm/base": llama_folder, "farm/lora": lora}
    for model in hub.models:
        store.remove(model)


def planned(base: Path, adapter: Path, **settings: Any) -> Any:
    ref = ModelRef(str(base), LoadSettings(adapter=str(adapter), **settings))
    return make_plan(ref, base, Machine(), Limits(), beside=adapter)


def test_it_takes_its_own_memory_alone(llama_folder: Path, lora: Path) -> None:
    full, half = planned(llama_folder, lora), planned(llama_folder, lora, dtype="bf16")
    assert full.weight_bytes == 4 * full.parameters == 2 * half.weight_bytes
    assert (full.working_bytes, full.wished_bytes) == (0, 0)
    assert full.adapter == lora / "adapter_model.safetensors"
    assert full.named == f"`{llama_folder}` with the adapter `{lora}`"
    assert full.models == (str(llama_folder), str(lora))


@pytest.mark.usefixtures("published")
def test_it_is_fetched_with_the_model_and_its_progress_is_told(store: Any) -> None:
    answer = store.locate("farm/base", adapter="farm/lora")
    texts = [event.text for event in answer.events if isinstance(event, LoadProgress)]
    assert list(dict.fromkeys(texts)) == ["Downloading farm/base", "Downloading farm/lora"]
    assert "models--farm--lora" in str(answer.plan.adapter)
    assert answer.plan.ref.base == ModelRef("farm/base")


@pytest.mark.usefixtures("published")
def test_it_is_pulled_with_the_model(store: Any) -> None:
    store.pull("farm/base", adapter="farm/lora")
    assert store.describe("farm/lora")["farm/lora"].complete


@pytest.mark.usefixtures("published")
def test_one_that_is_nowhere_is_the_fault_of_its_setting(store: Any) -> None:
    for adapter in ("farm/nowhere", "/no/such/folder"):
        nowhere = store.locate("farm/base", adapter=adapter).failed
        assert (nowhere.kind, nowhere.param) == ("model_not_found", "adapter")
        assert adapter in nowhere.message
    wrong = store.locate("farm/base", adapter="farm/lora", adapter_revision="../v9").failed
    assert (wrong.message, wrong.param) == ("`../v9` is not a revision.", "adapter")


def refusal(base: Path, adapter: Path) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        planned(base, adapter)
    assert caught.value.param == "adapter"
    return caught.value


def test_a_whole_model_is_no_adapter(llama_folder: Path) -> None:
    assert "is a model of its own, and no adapter" in str(refusal(llama_folder, llama_folder))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["adapter_config.json", "adapter_model.bin"],
            "has weights only as `adapter_model.bin`, a format that can execute",
        ),
        (["adapter_config.json"], "has no safetensors weights"),
        (["adapter_model.safetensors"], "is no adapter of peft: it has no adapter_config.json"),
        (["adapter_config.json", "other.safetensors"], "is no adapter of peft: it has no adapter_model.safetensors"),
    ],
)
def test_a_folder_without_what_makes_an_adapter_is_refused(
    llama_folder: Path, tmp_path: Path, files: list[str], message: str
) -> None:
    for name in files:
        if name.endswith(".safetensors"):
            save_file({}, tmp_path / name)
        else:
            (tmp_path / name).write_text("{}")
    assert message in str(refusal(llama_folder, tmp_path))


def test_one_that_needs_code_of_its_own_is_refused_though_the_model_is_trusted(
    llama_folder: Path, lora: Path, tmp_path: Path
) -> None:
    for path in lora.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((lora / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "code.Model"}}))
    with pytest.raises(RequestFailed) as caught:
        planned(llama_folder, tmp_path, trust_remote_code=True)
    assert caught.value.param == "adapter"


def test_models_of_other_tasks_take_none(llama_folder: Path, lora: Path) -> None:
    with pytest.raises(RequestFailed, match="takes no adapters: its task is `embedding`"):
        planned(llama_folder, lora, model_type="embedding")


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["adapter_model.safetensors"], "adapter_model.safetensors"),
        (["pytorch_lora_weights.safetensors", "other.safetensors"], "pytorch_lora_weights.safetensors"),
        (["pixel-art.safetensors"], "pixel-art.safetensors"),
    ],
)
def test_an_adapter_of_a_pipeline_is_one_file_of_any_name(tmp_path: Path, files: list[str], taken: str) -> None:
    for name in files:
        save_file({}, tmp_path / name)
    assert weights_of("org/lora", tmp_path, is_pipeline=True) == taken


def test_an_adapter_of_a_pipeline_may_be_named_by_its_file(
    store: Any, pipeline_folder: Path, llama_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "pixel-art [2].safetensors"
    save_file({"unet.x.lora.down.weight": np.ones((2, 3), np.float32)}, file)
    save_file({}, tmp_path / "other.safetensors")
    plan = store.locate(str(pipeline_folder), adapter=str(file)).plan
    assert (plan.adapter, plan.parameters) == (file, 6)
    failed = store.locate(str(llama_folder), adapter=str(file)).failed
    assert "is no adapter of peft: it has no adapter_config.json beside it" in failed.message
    assert "holds no model: it has no config.json" in store.locate(str(file)).failed.message


@pytest.fixture
def several(tmp_path: Path, lora: Path) -> Path:
    """A folder of two adapters of peft, and no other files."""
    for name in ("v1", "v2"):
        shutil.copytree(lora, tmp_path / "several" / name)
    return tmp_path / "several"


@pytest.mark.parametrize(("name", "wanted"), [("org/lora", "org/lora:v1/"), ("./loras/", "./loras/v1/")])
def test_of_several_adapters_nobody_knows_which_is_meant(several: Path, name: str, wanted: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        weights_of(name, several, is_pipeline=False)
    listed = "v1/adapter_model.safetensors, v2/adapter_model.safetensors"
    assert str(caught.value) == f"`{name}` holds several adapters: {listed}."
    assert caught.value.hint == f"Name one of them: `{wanted}adapter_model.safetensors`."
    shutil.rmtree(several / "v1")
    assert weights_of(name, several, is_pipeline=False) == "v2/adapter_model.safetensors"


def test_no_more_than_a_dozen_are_listed(tmp_path: Path) -> None:
    for number in range(14):
        save_file({}, tmp_path / f"{number:02}.safetensors")
    with pytest.raises(RequestFailed, match=r"11\.safetensors and 2 more\.$"):
        weights_of("org/lora", tmp_path, is_pipeline=True)


@pytest.mark.usefixtures("published")
def test_of_a_repository_of_several_the_one_that_is_named_is_fetched_alone(
    hub: Hub, store: Any, several: Path, lora: Path
) -> None:
    hub.models["farm/loras"] = several
    hub.asked.clear()
    refused = store.locate("farm/base", adapter="farm/loras").failed
    assert "`farm/loras` holds several adapters: v1/adapter_model.safetensors, v2/" in refused.message
    assert refused.param == "adapter"
    assert not [path for path in hub.asked if "loras" in path and path.endswith(".safetensors")], "nothing is fetched"
    name = "farm/loras:v2/adapter_model.safetensors"
    plan = store.locate("farm/base", adapter=name).plan
    assert plan.adapter.read_bytes() == (lora / "adapter_model.safetensors").read_bytes()
    assert {path.name for path in plan.adapter.parent.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert not (plan.adapter.parent.parent / "v1").exists()
    hub.asked.clear()
    assert store.locate("farm/base", adapter=name).plan == plan
    assert not [path for path in hub.asked if "loras" in path], "it is here already"
    lacking = store.locate("farm/base", adapter="farm/loras:v3/adapter_model.safetensors").failed
    assert (lacking.kind, lacking.param) == ("model_not_found", "adapter")
    assert "`farm/loras` has no file `v3/adapter_model.safetensors`" in lacking.message


def test_an_adapter_of_peft_may_be_named_by_its_file_too(store: Any, llama_folder: Path, several: Path) -> None:
    file = several / "v1" / "adapter_model.safetensors"
    assert store.locate(str(llama_folder), adapter=str(file)).plan.adapter == file
    assert "holds several adapters: v1/" in store.locate(str(llama_folder), adapter=str(several)).failed.message


@pytest.mark.usefixtures("published")
def test_an_adapter_of_a_pipeline_that_is_here_is_not_asked_for_again(
    hub: Hub, store: Any, tmp_path: Path, llama_folder: Path
) -> None:
    """It has no configuration, by which other models are known to be whole."""
    save_file({}, tmp_path / "pixel-art.safetensors")
    hub.models["farm/pixels"] = tmp_path
    for _ in range(2):
        failed = store.locate("farm/base", adapter="farm/pixels").failed  # which is no pipeline
        assert "is no adapter of peft" in failed.message
        asked, hub.asked = hub.asked, []
    assert not [path for path in asked if "pixels" in path]
