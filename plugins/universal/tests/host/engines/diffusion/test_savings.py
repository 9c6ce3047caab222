"""What saves memory: planned by the device and what the model needs, said, and without an effect on the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from llamafarm_universal.host.engines.diffusion.offload import Place, take_turns
from llamafarm_universal.host.engines.diffusion.savings import chosen, savings
from llamafarm_universal.host.engines.diffusion.spec import ENGINE
from llamafarm_universal.host.engines.diffusion.weight import weigh_parts, working_bytes
from llamafarm_universal.messages import DrawImage, Drawing, EditImage, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan

from .conftest import Studio, alike, as_blob, noise

GB = 10**9
DECODING = ("vae_slicing", "vae_tiling")
SIZE = {"width": 32, "height": 32}


@pytest.mark.parametrize(
    ("device", "needed", "device_bytes", "names"),
    [
        ("cpu", 40 * GB, None, DECODING),
        ("mps", 4 * GB, None, (*DECODING, "attention_slicing")),
        ("cuda", 12 * GB, 24 * GB, DECODING),
        ("cuda", 20 * GB, 24 * GB, (*DECODING, "model_cpu_offload")),
        ("cuda", 20 * GB, None, DECODING),
    ],
)
def test_they_are_chosen_by_the_device_and_what_is_needed(device, needed, device_bytes, names):
    assert chosen(device, needed, device_bytes) == names


def plan_on(pipeline_folder: Any, memory: int, **options: bool) -> Any:
    """The plan of loading the small pipeline on a GPU with so much memory."""
    machine = Machine({"auto": "cuda", "cpu": "cpu", "cuda": "cuda"}, memory={"cuda": memory})
    made = pipeline_folder("sdxl")
    ref = ModelRef(str(made), LoadSettings(dtype="fp16", options=tuple(options.items())))
    return make_plan(ref, made, machine, Limits())


def test_a_model_that_does_not_fit_is_reckoned_with_its_largest_part(pipeline_folder):
    roomy = plan_on(pipeline_folder, 80 * GB)
    assert savings(roomy) == DECODING
    assert roomy.weight_bytes == sum(weigh_parts(roomy))
    needed = roomy.weight_bytes + working_bytes(roomy)
    narrow = plan_on(pipeline_folder, needed)
    assert savings(narrow) == (*DECODING, "model_cpu_offload")
    assert narrow.weight_bytes == max(weigh_parts(narrow)) < roomy.weight_bytes
    assert ENGINE.fit(replace(narrow, device="cpu")).weight_bytes == roomy.weight_bytes
    refused = plan_on(pipeline_folder, needed, enable_optimizations=False)
    assert savings(refused) == ()
    assert refused.weight_bytes == roomy.weight_bytes


def test_a_loaded_model_says_what_it_got(studio, pipeline_folder):
    assert studio("sd1").engine.model.optimizations == DECODING
    plain = Studio(pipeline_folder("sd1"), options=(("enable_optimizations", False),))
    assert plain.engine.model.optimizations == ()


class Watched(Place):
    """Notes which part came when."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.came: list[str] = []

    def bring(self, part: Any) -> None:
        before = self.holds
        super().bring(part)
        if before is not part:
            self.came.append(type(part).__name__)


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux"])
def test_parts_that_take_turns_draw_the_same(family, studio, pipeline_folder, folder):
    works = [
        DrawImage("a fox", drawing=Drawing(steps=2, seed=1, **SIZE)),
        DrawImage("a cow", drawing=Drawing(steps=2, seed=2, width=48, height=32)),
        EditImage("a hen", as_blob(noise()), strength=0.9, drawing=Drawing(steps=3, seed=3), folder=folder),
    ]
    offloaded = Studio(pipeline_folder(family))
    place = Watched()
    take_turns(offloaded.engine._pipelines.modules, place)
    for ours, theirs in zip(offloaded.draw(*works), studio(family).draw(*works), strict=True):
        assert alike(ours[0], theirs[0])
    assert {type(part).__name__ for part in offloaded.engine._pipelines.modules} == set(place.came)


def test_slices_of_attention_draw_the_same(studio, pipeline_folder):
    sliced = Studio(pipeline_folder("sd1"))
    for pipeline in sliced.engine._pipelines.by_kind.values():
        pipeline.enable_attention_slicing()
    work = DrawImage("a fox", drawing=Drawing(steps=2, seed=1, **SIZE))
    [[ours]], [[theirs]] = sliced.draw(work), studio("sd1").draw(work)
    assert alike(ours, theirs)
