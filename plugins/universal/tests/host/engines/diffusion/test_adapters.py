"""Pictures with adapters, beside each other and beside those of the pipeline alone: those that diffusers draws."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusion_models import make_drawing_adapter
from llamafarm_universal.engine import Engine, RequestFailed, SpoolFolder
from llamafarm_universal.messages import DrawImage, Drawing, EditImage, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits, LoadPlan
from llamafarm_universal.store.plan import make_plan
from safetensors.torch import load_file, save_file

from .conftest import Studio, alike, as_blob, drawn

SIZE = {"width": 32, "height": 32}
WEIGHTS = "pytorch_lora_weights.safetensors"


def plan_of(base: Path, adapter: Path, scale: float = 1.0) -> LoadPlan:
    ref = ModelRef(str(base), LoadSettings(device="cpu", dtype="fp32", adapter=str(adapter), adapter_scale=scale))
    return make_plan(ref, base, Machine(), Limits(), beside=adapter)


class Adapted:
    """A studio whose pictures may each have an adapter; None is the pipeline by itself."""

    def __init__(self, folder: Path, adapters: dict[str, Path]) -> None:
        self.studio = Studio(folder)
        self.engines: dict[str | None, Engine] = {None: self.studio.engine}
        for name, adapter in adapters.items():
            self.put(name, adapter)

    def put(self, name: str, adapter: Path, scale: float = 1.0) -> None:
        plan = plan_of(self.studio.folder, adapter, scale)
        self.engines[name] = self.studio.engine.adapted(plan, self.studio.engine.read_adapter(plan))

    def draw(self, *asked: tuple[str | None, Any]) -> list[Any]:
        """The first picture of each work, all drawn at once."""
        told = []
        for name, work in asked:
            engine, events = self.engines[name], []
            engine.submit(f"request-{len(told)}", work, engine.prepare(work), events.append)
            told.append(events)
        while self.studio.engine.step():
            pass
        return [drawn(events)[0] for events in told]


def plainly(base: Path, adapter: Path | None, seed: int, scale: float = 1.0, **told: Any) -> Any:
    """What diffusers itself draws."""
    from diffusers import AutoPipelineForText2Image

    pipeline = AutoPipelineForText2Image.from_pretrained(base, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    if adapter is not None:
        pipeline.load_lora_weights(str(adapter), weight_name=WEIGHTS, adapter_name="one")
        pipeline.set_adapters(["one"], [scale])
    image = pipeline(generator=torch.Generator().manual_seed(seed), **told).images[0]
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def adapters(pipeline_folder: Callable[[str], Path], models_folder: Path) -> Callable[[str], dict[str, Path]]:
    """For a family: `narrow` changes the denoiser, `wide` more of it and the text encoder."""

    def made(family: str) -> dict[str, Path]:
        base, kinds = pipeline_folder(family), {"narrow": ("to_q", "to_v"), "wide": ("to_k", "to_out.0", "q_proj")}
        folders = {name: models_folder / f"{family}_{name}" for name in kinds}
        for rank, (name, folder) in enumerate(folders.items(), 2):
            if not folder.is_dir():
                make_drawing_adapter(base, folder, 2 * rank, kinds[name] if family != "flux" else kinds[name][:2])
        return folders

    return made


@pytest.fixture(scope="module")
def fox(pipeline_folder: Callable[[str], Path], adapters: Callable[[str], dict[str, Path]]) -> Adapted:
    return Adapted(pipeline_folder("sd1"), adapters("sd1"))


WORK = DrawImage("a red fox", drawing=Drawing(steps=3, seed=7, **SIZE))
TOLD = {"prompt": "a red fox", "num_inference_steps": 3, **SIZE}


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_the_picture_is_the_one_that_diffusers_draws_with_it(
    family: str, pipeline_folder: Callable[[str], Path], adapters: Callable[[str], dict[str, Path]]
) -> None:
    base, own = pipeline_folder(family), adapters(family)
    here = Adapted(base, own)
    pictures = here.draw(*[(name, WORK) for name in (None, *own)])
    expected = [plainly(base, own[name] if name else None, 7, **TOLD) for name in (None, *own)]
    assert all(map(alike, pictures, expected))
    assert not any(alike(expected[0], other) for other in expected[1:])


def test_pictures_of_several_adapters_at_once_are_what_each_is_alone(fox: Adapted) -> None:
    works = [DrawImage(text, drawing=Drawing(steps=3, seed=seed, **SIZE)) for seed, text in enumerate("abc")]
    asked = [(name, work) for work in works for name in ("wide", None, "narrow")]
    assert all(map(alike, fox.draw(*asked), [fox.draw(each)[0] for each in asked]))


def test_those_of_one_adapter_are_drawn_in_one_batch(fox: Adapted, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = fox.studio.engine
    sizes: dict[int, int] = {}
    advance = engine._advance

    def noted() -> None:
        sizes.update({id(batch): len(batch.pictures) for batch in engine._batches})
        advance()

    monkeypatch.setattr(engine, "_advance", noted)
    fox.draw(*[(name, WORK) for name in ("narrow", "narrow", None, "wide", "narrow", None)])
    assert sorted(sizes.values()) == [1, 2, 3]


def test_the_pipeline_by_itself_draws_the_same_with_adapters_loaded_and_after_they_have_gone(
    pipeline_folder: Callable[[str], Path], adapters: Callable[[str], dict[str, Path]]
) -> None:
    plain = Studio(pipeline_folder("sd1")).draw(WORK)[0][0]
    here = Adapted(pipeline_folder("sd1"), adapters("sd1"))
    tuned = here.draw(("wide", WORK), (None, WORK))
    assert np.array_equal(tuned[1], plain)
    here.engines.pop("wide").close()
    [narrow] = here.draw(("narrow", WORK))
    here.engines.pop("narrow").close()
    assert np.array_equal(here.draw((None, WORK))[0], plain)
    here.put("again", adapters("sd1")["wide"])
    assert np.array_equal(here.draw(("again", WORK))[0], tuned[0])
    assert not alike(narrow, plain)


def test_an_adapter_comes_while_pictures_are_drawn(
    pipeline_folder: Callable[[str], Path], adapters: Callable[[str], dict[str, Path]]
) -> None:
    here = Adapted(pipeline_folder("sd1"), {"narrow": adapters("sd1")["narrow"]})
    alone = here.draw(("narrow", WORK), (None, WORK))
    told = []
    for number, name in enumerate(("narrow", None)):
        events: list[Any] = []
        here.engines[name].submit(f"running-{number}", WORK, here.engines[name].prepare(WORK), events.append)
        told.append(events)
    for _ in range(12):
        here.studio.engine.step()
    here.put("wide", adapters("sd1")["wide"])
    while here.studio.engine.step():
        pass
    assert all(map(alike, [drawn(events)[0] for events in told], alone))


def test_a_scale_says_how_strongly_it_changes_the_pictures(
    fox: Adapted, adapters: Callable[[str], dict[str, Path]], pipeline_folder: Callable[[str], Path]
) -> None:
    wide = adapters("sd1")["wide"]
    fox.put("half", wide, 0.5)
    fox.put("nothing", wide, 0.0)
    base, nothing, half, whole = fox.draw(*[(name, WORK) for name in (None, "nothing", "half", "wide")])
    assert alike(nothing, base)
    assert alike(half, plainly(pipeline_folder("sd1"), wide, 7, 0.5, **TOLD))
    assert not alike(half, whole)


def test_pictures_are_changed_with_it_too(fox: Adapted, tmp_path: Path) -> None:
    picture = as_blob((np.arange(32 * 32 * 3) % 251).reshape(32, 32, 3).astype("uint8"))
    work = EditImage(
        "a fox", picture, strength=0.5, drawing=Drawing(steps=4, seed=1), folder=SpoolFolder(tmp_path, 2**30, 2**30)
    )
    base, tuned = fox.draw((None, work), ("wide", work))
    assert not alike(base, tuned)


def refusal(base: Path, adapter: Path, here: Adapted) -> RequestFailed:
    plan = plan_of(base, adapter)
    with pytest.raises(RequestFailed) as caught:
        here.studio.engine.adapted(plan, here.studio.engine.read_adapter(plan))
    return caught.value


def test_one_of_another_family_is_refused_with_what_differs_and_leaves_nothing(
    fox: Adapted, adapters: Callable[[str], dict[str, Path]], pipeline_folder: Callable[[str], Path]
) -> None:
    [before] = fox.draw((None, WORK))
    failure = refusal(pipeline_folder("sd1"), adapters("sdxl")["narrow"], fox)
    assert failure.kind == "not_supported"
    assert failure.param == "adapter"
    assert f"does not fit `{pipeline_folder('sd1')}`" in failure.message
    assert "another base model" in (failure.hint or "")
    again = refusal(pipeline_folder("sd1"), adapters("sd3")["narrow"], fox)
    assert "changes nothing of" in again.message
    [after] = fox.draw((None, WORK))
    assert np.array_equal(before, after)
    assert alike(fox.draw(("wide", WORK))[0], plainly(pipeline_folder("sd1"), adapters("sd1")["wide"], 7, **TOLD))


def test_sizes_that_differ_are_told_with_both_numbers(
    fox: Adapted, adapters: Callable[[str], dict[str, Path]], pipeline_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(adapters("sd1")["narrow"], tmp_path / "other")
    tensors = load_file(tmp_path / "other" / WEIGHTS)
    wider = {name: torch.cat([each, each], 1) if ".down." in name else each for name, each in tensors.items()}
    save_file(wider, tmp_path / "other" / WEIGHTS)
    failure = refusal(pipeline_folder("sd1"), tmp_path / "other", fox)
    assert "size mismatch" in failure.message
    assert "[4, 32]" in failure.message


def test_a_damaged_file_is_told_before_it_is_put_anywhere(
    fox: Adapted, pipeline_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    save_file({"unet.x.lora.down.weight": torch.ones(64)}, tmp_path / WEIGHTS)
    plan = plan_of(pipeline_folder("sd1"), tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-9])
    with pytest.raises(RequestFailed, match="cannot be read: SafetensorError"):
        fox.studio.engine.read_adapter(plan)
