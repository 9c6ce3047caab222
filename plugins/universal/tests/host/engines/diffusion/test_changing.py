"""Pictures that are changed, and pictures like others: those that diffusers draws of the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from llamafarm_universal.messages import Blob, Drawing, EditImage, VaryImage
from PIL import Image

from .conftest import alike, as_blob, noise, refusal


def half(height: int = 32, width: int = 32) -> Any:
    """White in its left half: there the picture is changed."""
    mask = np.zeros((height, width, 3), np.uint8)
    mask[:, : width // 2] = 255
    return mask


def side(family: str) -> int:
    return 256 if family == "flux" else 32


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux", "lcm"])
def test_a_picture_is_changed_as_diffusers_changes_it(family, studio, plain, folder):
    from diffusers import AutoPipelineForImage2Image

    image = noise()
    work = EditImage("a fox", as_blob(image), strength=0.6, drawing=Drawing(steps=5, seed=4), folder=folder)
    [[ours]] = studio(family).draw(work)
    told = {"image": Image.fromarray(image), "strength": 0.6, "num_inference_steps": 5, "prompt": "a fox"}
    size = {"width": 32, "height": 32} if family in ("sd3", "flux") else {}
    assert alike(ours, plain(family, 4, AutoPipelineForImage2Image, **told, **size))


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_a_picture_is_changed_where_its_mask_is_white(family, studio, plain, folder):
    from diffusers import AutoPipelineForInpainting

    image, mask = noise(), half()
    given = {"strength": 0.8, "drawing": Drawing(steps=5, seed=4), "folder": folder}
    [[ours]] = studio(family).draw(EditImage("a fox", as_blob(image), as_blob(mask), **given))
    theirs = plain(
        family, 4, AutoPipelineForInpainting, prompt="a fox", image=Image.fromarray(image), strength=0.8,
        mask_image=Image.fromarray(mask).convert("L"), num_inference_steps=5, width=32, height=32,
    )  # fmt: skip
    assert alike(ours, theirs)


def test_what_is_transparent_in_the_mask_is_what_white_is(studio, folder):
    image = as_blob(noise())
    clear = np.dstack([noise(), 255 - half()[..., :1]])
    works = [
        EditImage("a fox", image, as_blob(mask), drawing=Drawing(steps=3, seed=1), folder=folder)
        for mask in (half(), clear)
    ]
    white, transparent = studio("sd1").draw(*works)
    assert alike(white[0], transparent[0])


def test_without_a_mask_it_is_what_is_transparent_in_the_picture(studio, folder):
    image = noise()
    with_hole = np.dstack([image, 255 - half()[..., :1]])
    masked, own = studio("sd1").draw(
        EditImage("a fox", as_blob(image), as_blob(half()), drawing=Drawing(steps=3, seed=1), folder=folder),
        EditImage("a fox", as_blob(with_hole), drawing=Drawing(steps=3, seed=1), folder=folder),
    )
    assert alike(masked[0], own[0])


def test_a_variation_is_a_change_without_words(studio, folder):
    image = as_blob(noise())
    drawing = Drawing(steps=4, seed=1)
    vary, edit = studio("sd1").draw(
        VaryImage(image, n=2, drawing=drawing, folder=folder), EditImage("", image, drawing=drawing, folder=folder)
    )
    assert len(vary) == 2
    assert alike(vary[0], edit[0])
    assert not alike(vary[0], vary[1])


@pytest.mark.parametrize(
    ("given", "wanted", "size"),
    [
        ((33, 21), Drawing(steps=2), (32, 20)),  # rounded to what the model draws
        ((200, 100), Drawing(steps=2), (44, 22)),  # made smaller: about as many pixels as 32x32
        ((200, 100), Drawing(steps=2, width=64, height=48), (64, 48)),
    ],
)
def test_it_is_as_large_as_its_picture_within_what_the_model_draws(given, wanted, size, studio, folder):
    [[ours]] = studio("sd1").draw(EditImage("a", as_blob(noise(given[1], given[0])), drawing=wanted, folder=folder))
    assert ours.shape[1::-1] == size


def test_pictures_are_changed_in_one_batch_as_alone(studio, folder):
    works = [
        EditImage(text, as_blob(noise() // part), drawing=Drawing(steps=4, seed=part), folder=folder)
        for part, text in ((1, "a"), (2, "b"))
    ]
    here = studio("sdxl")
    alone = [here.draw(work)[0][0] for work in works]
    together = here.draw(*works)
    assert all(alike(one, beside[0]) for one, beside in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("changes", "param", "message"),
    [
        ({"image": Blob("image/png", 5, b"hello")}, "image", "The file is no picture"),
        ({"mask": as_blob(half(16, 16))}, "mask", "The mask is 16x16 pixels large, and the picture 32x32."),
        ({"strength": 0.1}, "strength", "leave none that changes the picture"),
    ],
)
def test_what_cannot_be_changed_is_refused(changes, param, message, studio, folder):
    known = {"prompt": "a", "image": as_blob(noise()), "drawing": Drawing(steps=4), "folder": folder}
    failure = refusal(studio("sd1"), EditImage(**{**known, **changes}))
    assert failure.param == param
    assert message in failure.message
