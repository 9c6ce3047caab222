"""Pipelines that are read, and those that are refused."""

from __future__ import annotations

import json
import shutil

import pytest
from diffusers.pipelines import auto_pipeline
from diffusion_models import make_stable_diffusion
from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.diffusion.abilities import FROM_PICTURES, FROM_TEXTS
from safetensors.torch import load_file, save_file

from .conftest import Studio


@pytest.fixture
def copy(pipeline_folder, tmp_path):
    return shutil.copytree(pipeline_folder("sd1"), tmp_path / "copy")


def test_the_pipelines_that_draw_from_pictures_are_those_of_diffusers() -> None:
    """So that people read it before anything is loaded, and without the library."""
    texts, changed, filled = (
        vars(auto_pipeline)[f"AUTO_{kind}_PIPELINES_MAPPING"] for kind in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT")
    )
    assert {kind.__name__ for name, kind in texts.items() if name in changed} >= FROM_PICTURES
    assert {kind.__name__ for name, kind in texts.items() if name not in {*changed, *filled}} >= FROM_TEXTS


def change_index(folder, **changes):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("part", ["unet", "text_encoder", "vae"])
def test_a_part_that_lacks_weights_is_refused(part, copy):
    [path] = (copy / part).glob("*.safetensors")
    weights = load_file(path)
    gone = sorted(weights)[3]
    save_file({name: tensor for name, tensor in weights.items() if name != gone}, path, metadata={"format": "pt"})
    with pytest.raises(RequestFailed, match=f"is not whole: its files lack weights of .*{gone}"):
        Studio(copy)


def test_a_part_whose_weights_may_run_code_is_refused(copy):
    [path] = (copy / "unet").glob("*.safetensors")
    path.rename(copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(RequestFailed, match="a format that can execute code when it is read"):
        Studio(copy)


def test_a_pipeline_that_draws_nothing_of_a_text_is_refused(copy):
    change_index(copy, _class_name="AudioLDM2Pipeline")
    with pytest.raises(RequestFailed, match="is a `AudioLDM2Pipeline`, which draws no pictures of a text"):
        Studio(copy)


@pytest.mark.parametrize("name", ["KandinskyV22Pipeline", "KandinskyV22CombinedPipeline"])
def test_a_pipeline_of_pipelines_is_refused(name, copy):
    change_index(copy, _class_name=name)
    with pytest.raises(RequestFailed, match=f"is a `{name}`, which draws by two pipelines") as refusal:
        Studio(copy)
    assert refusal.value.kind == "not_supported"


def test_a_safety_checker_is_neither_needed_nor_loaded(copy):
    change_index(
        copy, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"], requires_safety_checker=True
    )
    assert Studio(copy).engine._pipelines.by_kind["text"].safety_checker is None


def test_a_model_that_fills_in_alone_edits_alone(tmp_path):
    studio = Studio(make_stable_diffusion(tmp_path / "fills", channels=9))
    assert studio.engine.model.operations == {"edit_image"}
