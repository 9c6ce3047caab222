"""Pictures of a text: those that diffusers draws, one step at a time, alone and beside others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from llamafarm_universal.engine import Finished
from llamafarm_universal.messages import DrawImage, Drawing

from .conftest import Studio, alike, drawn, refusal, steps

SIZE = {"width": 32, "height": 32}


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sd3", "flux"])
def test_the_picture_is_the_one_that_diffusers_draws(family, studio, plain):
    ours = studio(family).draw(DrawImage("a red fox", drawing=Drawing(steps=3, seed=7, **SIZE)))
    assert alike(ours[0][0], plain(family, 7, prompt="a red fox", num_inference_steps=3, **SIZE))


@pytest.mark.parametrize(("family", "size"), [("lcm", 32), ("pixart", 256), ("pixart-sigma", 256), ("sana", 512)])
def test_other_families_are_drawn_alike_too_alone_and_beside_others(family, size, studio, plain):
    told = {"width": size, "height": size}
    works = [DrawImage("a red fox", drawing=Drawing(steps=2, seed=seed, **told)) for seed in (7, 8)]
    [[first], [second]] = studio(family).draw(*works)
    assert alike(first, plain(family, 7, prompt="a red fox", num_inference_steps=2, **told))
    assert alike(studio(family).draw(works[1])[0][0], second)


def test_without_any_wish_it_is_what_the_pipeline_does_by_itself(studio, plain):
    ours = studio("sd1").draw(DrawImage("a fox", drawing=Drawing(seed=1)))
    assert alike(ours[0][0], plain("sd1", 1, prompt="a fox"))


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3"])
def test_guidance_and_what_is_not_wanted_have_their_effect(family, studio, plain):
    drawing = Drawing(steps=2, seed=3, guidance_scale=9.0, negative_prompt="blur", **SIZE)
    told = {"num_inference_steps": 2, "guidance_scale": 9.0, "negative_prompt": "blur", **SIZE}
    ours = studio(family).draw(DrawImage("a fox", drawing=drawing))
    assert alike(ours[0][0], plain(family, 3, prompt="a fox", **told))


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_a_seed_is_one_picture_alone_and_beside_others(family, studio):
    here = studio(family)
    works = [DrawImage(text, drawing=Drawing(steps=3, seed=seed, **SIZE)) for seed, text in enumerate(["a", "b", "c"])]
    alone = [here.draw(work)[0][0] for work in works]
    together = here.draw(*works, DrawImage("d", drawing=Drawing(steps=2, width=64, height=32)))
    assert all(alike(one, beside[0]) for one, beside in zip(alone, together, strict=False))
    assert not alike(alone[0], alone[1])


def test_each_picture_of_a_request_has_the_next_seed(studio):
    here = studio("sd1")
    [three] = here.draw(DrawImage("a fox", n=3, drawing=Drawing(steps=2, seed=5)))
    [last] = here.draw(DrawImage("a fox", drawing=Drawing(steps=2, seed=7)))
    assert len(three) == 3
    assert alike(three[2], last[0])
    assert not alike(three[0], three[1])


def test_pictures_of_one_shape_are_drawn_together(studio):
    here = studio("sd1")
    work = DrawImage("a fox", drawing=Drawing(steps=4))
    looks = []
    hook = here.engine._pipelines.by_kind["text"].unet.register_forward_pre_hook(
        lambda _, given: looks.append(given[0].shape[0])
    )
    here.draw(work, work, work)
    hook.remove()
    assert set(looks) == {6}  # each of the three with and without the prompt
    assert len(looks) == 5  # as many as a picture alone: PNDM takes one step more


def test_a_picture_that_comes_a_moment_later_is_drawn_with_the_first(studio, monkeypatch):
    monkeypatch.setattr("llamafarm_universal.host.engines.diffusion.batch.GATHER_SECONDS", 0.2)
    here = studio("sd1")
    work = DrawImage("a fox", drawing=Drawing(steps=4))
    looks = []
    hook = here.engine._pipelines.by_kind["text"].unet.register_forward_pre_hook(
        lambda _, given: looks.append(given[0].shape[0])
    )
    first = here.start(work)
    here.engine.step()
    gone = here.start(work)
    here.engine.step()
    here.engine.cancel(list(here.told)[-1])
    [[second]] = here.draw(work)
    hook.remove()
    assert set(looks) == {4}
    assert alike(drawn(first)[0], second)
    assert len(gone) == 1


def test_how_far_it_is_is_told_after_each_step(studio):
    here = studio("sd3")
    events = here.start(DrawImage("a fox", drawing=Drawing(steps=3, **SIZE)))
    while here.engine.step():
        pass
    assert steps(events) == [(0, 1, 3), (0, 2, 3), (0, 3, 3)]
    assert isinstance(events[-1], Finished)


def test_a_cancelled_picture_is_looked_at_no_more(studio):
    here = studio("sd1")
    looks = []
    hook = here.engine._pipelines.by_kind["text"].unet.register_forward_hook(lambda *_: looks.append(1))
    events = here.start(DrawImage("a fox", drawing=Drawing(steps=50)))
    while len(steps(events)) < 2:
        here.engine.step()
    told, looked = len(events), len(looks)
    here.engine.cancel(list(here.told)[-1])
    assert here.engine.step() is False
    hook.remove()
    assert (len(events), len(looks)) == (told, looked)


def test_one_of_a_batch_may_leave_it(studio):
    here = studio("sd1")
    stays, leaves = (DrawImage("a fox", drawing=Drawing(steps=3, seed=seed)) for seed in (1, 2))
    [[alone]] = here.draw(stays)
    events = here.start(stays)
    gone = here.start(leaves)
    name = list(here.told)[-1]
    while not steps(events):
        here.engine.step()
    here.engine.cancel(name)
    told = len(gone)
    while here.engine.step():
        pass
    assert len(gone) == told
    assert alike(drawn(events)[0], alone)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_the_file_is_of_the_format_that_is_asked_for(form, studio):
    here = studio("sd1")
    events = here.start(DrawImage("a fox", drawing=Drawing(steps=1, format=form, quality=50)))
    while here.engine.step():
        pass
    assert events[-1].value.media_type == f"image/{form}"
    assert drawn(events)[0].shape == (32, 32, 3)


@pytest.mark.parametrize("name", ["ddim", "euler", "euler_a", "dpmpp_2m_karras", "heun", "DDPMScheduler", "unipc"])
def test_a_scheduler_is_chosen_by_its_name(name, studio):
    here = studio("sd1")
    one, other = here.draw(
        DrawImage("a fox", drawing=Drawing(steps=4, scheduler=name)), DrawImage("a fox", drawing=Drawing(steps=4))
    )
    assert (one[0] != other[0]).any()


def test_a_scheduler_is_the_one_of_diffusers(studio, pipeline_folder):
    import torch
    from diffusers import AutoPipelineForText2Image, EulerAncestralDiscreteScheduler

    pipeline = AutoPipelineForText2Image.from_pretrained(pipeline_folder("sd1"))
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline("a fox", num_inference_steps=4, generator=torch.Generator().manual_seed(2)).images[0]
    work = DrawImage("a fox", drawing=Drawing(steps=4, scheduler="euler_ancestral", seed=2))
    ours, beside = studio("sd1").draw(work, DrawImage("x", drawing=Drawing(steps=4, scheduler="euler_ancestral")))
    assert alike(ours[0], np.asarray(theirs).astype(int))
    assert not alike(ours[0], beside[0])


def test_a_scheduler_that_does_not_fit_is_refused_with_those_that_do(studio):
    failure = refusal(studio("sd1"), DrawImage("a fox", drawing=Drawing(scheduler="flow")))
    assert failure.param == "scheduler"
    assert failure.hint.startswith("There is: ddim, ddpm, deis, dpmpp_2m")
    assert refusal(studio("flux"), DrawImage("a fox", drawing=Drawing(scheduler="ddim"))).hint == "There is: euler."


@pytest.mark.parametrize(
    ("family", "drawing", "message"),
    [
        ("sd1", Drawing(width=33, height=32), "multiples of 2 pixels, not 33x32"),
        ("flux", Drawing(width=34, height=32), "multiples of 4 pixels, not 34x32"),
        ("sd1", Drawing(width=40_000, height=40_000), "more than 4,194,304 pixels"),
        ("sd1", Drawing(negative_prompt="blur", guidance_scale=1.0), "has no effect with this model here"),
        ("flux", Drawing(negative_prompt="blur"), "has no effect with this model here: its guidance is trained into"),
    ],
)
def test_what_cannot_be_drawn_is_refused(family, drawing, message, studio):
    assert message in refusal(studio(family), DrawImage("a fox", drawing=drawing)).message


def test_a_text_that_would_not_be_read_to_its_end_is_refused(studio):
    failure = refusal(studio("sd1"), DrawImage("x" * 200))
    assert (failure.message, failure.param) == ("The text has 202 tokens; this model reads 77.", "prompt")
    assert studio("flux").engine.prepare(DrawImage("x" * 200))  # T5 reads it


def decodings(studio, work):
    """How often the decoder was called for a work, and the pictures."""
    calls = []
    vae = studio.engine._pipelines.by_kind["text"].vae
    hook = vae.decoder.register_forward_hook(lambda *_: calls.append(1))
    [pictures] = studio.draw(work)
    hook.remove()
    return len(calls), pictures


def test_a_very_large_picture_is_decoded_in_tiles(studio, plain, pipeline_folder):
    work = DrawImage("a fox", drawing=Drawing(steps=2, seed=3, width=96, height=96))
    calls, [tiled] = decodings(studio("sd1"), work)
    assert calls > 1
    from diffusers import AutoPipelineForText2Image

    theirs = AutoPipelineForText2Image.from_pretrained(pipeline_folder("sd1"))
    theirs.vae.enable_tiling()
    theirs.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    image = theirs("a fox", num_inference_steps=2, generator=generator, width=96, height=96).images[0]
    assert alike(tiled, np.asarray(image).astype(int))


def test_without_optimizations_everything_is_decoded_at_once(pipeline_folder, plain):
    studio = Studio(pipeline_folder("sd1"), options=(("enable_optimizations", False),))
    size = {"width": 96, "height": 96}
    calls, [whole] = decodings(studio, DrawImage("a fox", drawing=Drawing(steps=2, seed=3, **size)))
    assert calls == 1
    assert alike(whole, plain("sd1", 3, prompt="a fox", num_inference_steps=2, **size))
    assert decodings(studio, DrawImage("a fox", n=3, drawing=Drawing(steps=1)))[0] == 1
