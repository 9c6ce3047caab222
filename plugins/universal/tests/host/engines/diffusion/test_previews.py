"""Unfinished pictures: what each step foresees of the picture, shown while it is drawn, and the picture is the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from llamafarm_universal.engine import Finished, Preview, Progress
from llamafarm_universal.host.engines.diffusion.previews import due, preview
from llamafarm_universal.messages import DrawImage, Drawing

from .conftest import TOLERANCE, Studio, alike, pixels, refusal

SIZE = {"width": 32, "height": 32}


def shown(events):
    """Each unfinished picture, with how many steps had been done."""
    steps = 0
    found = []
    for event in events:
        steps = event.done if isinstance(event, Progress) else steps
        if isinstance(event, Preview):
            found.append((event.index, event.number, steps, pixels(event.value)))
    return found


@pytest.mark.parametrize(
    ("previews", "total", "steps"),
    [(0, 20, []), (1, 20, [10]), (3, 20, [5, 10, 15]), (2, 50, [17, 34]), (3, 3, [1, 2]), (3, 1, []), (3, 2, [1])],
)
def test_they_are_spread_evenly_and_the_last_step_shows_the_picture_itself(previews, total, steps):
    assert due(previews, total) == steps


@pytest.mark.parametrize(
    ("family", "scheduler"),
    [
        ("sd1", "euler"), ("sd1", "euler_ancestral"), ("sd1", "ddim"), ("sd1", "dpmpp_2m"), ("sd1", "unipc"),
        ("sd2", "dpmpp_2m"), ("sd2", "euler"), ("sdxl", None), ("sd3", None), ("flux", None),
    ],
)  # fmt: skip
def test_what_the_last_step_foresees_is_the_picture(family, scheduler, studio):
    pipelines = studio(family).engine._pipelines
    steps = []
    pipeline = pipelines.new("text", scheduler, lambda pipeline, step: steps.append(step.foreseen()))
    generator = torch.Generator().manual_seed(3)
    told = {"prompt": "a fox", "generator": generator, "num_inference_steps": 4, **SIZE}
    [picture] = pipeline(**told, output_type="pil").images
    with torch.no_grad():
        foreseen = preview(pipeline, steps[-1], 32, 32)
    tolerance = 16 if scheduler == "ddim" else TOLERANCE  # this model's leaves some noise at the end
    assert alike(np.asarray(foreseen).astype(int), np.asarray(picture).astype(int), tolerance)


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_they_come_between_the_steps_and_change_nothing(family, studio):
    here = studio(family)
    scheduler = "euler" if family == "sd1" else None  # the model's own takes a step more than it is told
    told = {"steps": 4, "seed": 7, "scheduler": scheduler, **SIZE}
    works = [DrawImage("a fox", n=2, drawing=Drawing(previews=previews, **told)) for previews in (0, 3)]
    plain, told = here.start(works[0]), here.start(works[1])
    while here.engine.step():
        pass
    assert [row[:3] for row in shown(told)] == [(index, done - 1, done) for done in (1, 2, 3) for index in (0, 1)]
    assert not shown(plain)
    ends = [[pixels(event.value) for event in events if isinstance(event, Finished)] for events in (plain, told)]
    assert all(alike(one, other) for one, other in zip(*ends, strict=True))
    first = [row[3] for row in shown(told) if row[0] == 0]
    assert all(picture.shape == (32, 32, 3) for picture in first)
    assert not alike(first[0], first[-1])


def test_an_unfinished_picture_is_what_diffusers_makes_of_what_its_scheduler_foresees(studio, pipeline_folder):
    from diffusers import AutoPipelineForText2Image, EulerDiscreteScheduler

    told = studio("sdxl").start(DrawImage("a fox", drawing=Drawing(steps=4, seed=7, previews=1, **SIZE)))
    while studio("sdxl").engine.step():
        pass
    [(_, _, steps, ours)] = shown(told)
    assert steps == 2
    pipeline = AutoPipelineForText2Image.from_pretrained(pipeline_folder("sdxl"))
    pipeline.set_progress_bar_config(disable=True)
    foreseen = []

    class Watched(EulerDiscreteScheduler):
        def step(self, *args, **kwargs):
            result = super().step(*args, **kwargs)
            foreseen.append(result[1])
            return result

    pipeline.scheduler = Watched.from_config(pipeline.scheduler.config)
    pipeline(prompt="a fox", num_inference_steps=4, generator=torch.Generator().manual_seed(7), **SIZE)
    with torch.no_grad():
        decoded = pipeline.vae.decode(foreseen[1] / pipeline.vae.config.scaling_factor).sample
    [theirs] = pipeline.image_processor.postprocess(decoded, output_type="pil")
    assert alike(ours, np.asarray(theirs).astype(int))


def test_what_cannot_be_shown_is_refused(studio):
    failure = refusal(studio("pixart"), DrawImage("a", drawing=Drawing(previews=1)))
    assert failure.param == "partial_images"
    assert failure.message == "No unfinished pictures can be shown of a `PixArtAlphaPipeline`."


def test_cancelling_ends_between_two_of_them(pipeline_folder):
    studio = Studio(pipeline_folder("sd1"))
    events = studio.start(DrawImage("a fox", n=3, drawing=Drawing(steps=4, seed=7, previews=3, **SIZE)))
    while not shown(events):
        assert studio.engine.step()
    studio.engine.cancel("request-0")
    seen = len(events)
    assert not studio.engine.step()
    assert len(events) == seen


def test_others_are_drawn_while_one_is_shown(studio):
    here = studio("sd1")
    told = here.start(DrawImage("a fox", drawing=Drawing(steps=3, seed=1, previews=2, **SIZE)))
    other = here.start(DrawImage("a cow", drawing=Drawing(steps=3, seed=2, width=48, height=32)))
    while not shown(told):
        here.engine.step()
    assert any(isinstance(event, Progress) for event in other)
    while here.engine.step():
        pass
    [alone] = here.draw(DrawImage("a cow", drawing=Drawing(steps=3, seed=2, width=48, height=32)))
    assert alike(pixels(other[-1].value), alone[0])
