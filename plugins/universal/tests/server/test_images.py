"""Pictures through the whole runtime: a real server, a real host, and a small pipeline of diffusers."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from llamafarm_universal.messages.blob import MAX_INLINE_BYTES
from PIL import Image
from runtime_servers import BOUND, wait_until

PATIENCE = 3 * BOUND
"""The first request imports diffusers."""


@pytest.fixture(scope="module")
def client(real):
    with openai.OpenAI(base_url=f"{real.url}/v1", api_key="none", max_retries=0, timeout=PATIENCE) as made:
        yield made


@pytest.fixture(scope="module")
def model(models):
    return str(models["pictures"])


@pytest.fixture(scope="module")
def spool():
    """Where the server's spool lies."""
    return Path(os.environ["LF_DATA_DIR"]) / "spool"


def pixels(row):
    image = Image.open(io.BytesIO(base64.b64decode(row.b64_json)))
    return np.asarray(image.convert("RGB")).astype(int)


def draw(client, model, **fields):
    known = {name: fields.pop(name) for name in ("n", "size", "output_format", "stream") if name in fields}
    return client.images.generate(model=model, prompt="a red fox", extra_body={"steps": 3, **fields}, **known)


def post(real, model, **fields):
    body = {"model": model, "prompt": "a red fox", "steps": 3, **fields}
    return httpx.post(f"{real.url}/v1/images/generations", json=body, timeout=PATIENCE)


def test_a_picture_is_drawn(client, model):
    answer = draw(client, model, size="64x32", n=2, seed=5)
    assert [pixels(row).shape for row in answer.data] == [(32, 64, 3), (32, 64, 3)]
    assert [row.seed for row in answer.data] == [5, 6]
    assert (pixels(answer.data[0]) != pixels(answer.data[1])).any()


def test_a_seed_is_said_and_gives_the_same_picture_again(client, model):
    [row] = draw(client, model).data
    [again] = draw(client, model, seed=row.seed).data
    assert np.abs(pixels(row) - pixels(again)).max() <= 2


@pytest.mark.parametrize(("name", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_format_is_the_one_that_is_asked_for(name, kind, client, model):
    answer = draw(client, model, output_format=name)
    assert Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json))).format == kind
    assert answer.output_format == name


def test_a_stream_tells_the_steps_and_then_the_picture(client, model):
    events = list(draw(client, model, stream=True, seed=9, scheduler="euler"))
    assert [event.type for event in events] == [*["image_generation.progress"] * 3, "image_generation.completed"]
    assert [(event.done, event.total) for event in events[:-1]] == [(1, 3), (2, 3), (3, 3)]
    [whole] = draw(client, model, seed=9, scheduler="euler").data
    assert np.abs(pixels(events[-1]) - pixels(whole)).max() <= 2


def test_a_stream_shows_unfinished_pictures(client, model):
    events = list(draw(client, model, stream=True, seed=9, steps=4, scheduler="euler", partial_images=2))
    partial = [event for event in events if event.type == "image_generation.partial_image"]
    assert [event.partial_image_index for event in partial] == [0, 1]
    [whole] = draw(client, model, seed=9, steps=4, scheduler="euler").data
    assert np.abs(pixels(events[-1]) - pixels(whole)).max() <= 2
    assert all(pixels(event).shape == pixels(whole).shape for event in partial)


def test_large_pictures_come_whole_and_leave_nothing_in_the_spool(spool, client, model):
    cheap = {"steps": 2, "scheduler": "euler", "guidance_scale": 1}
    events = list(draw(client, model, stream=True, size="384x320", partial_images=1, **cheap))
    partial = [event for event in events if event.type == "image_generation.partial_image"]
    assert len(partial) == 1
    for event in (*partial, events[-1]):
        assert pixels(event).shape == (320, 384, 3)
        assert len(base64.b64decode(event.b64_json)) > MAX_INLINE_BYTES
    wait_until(lambda: not any(spool.glob("spool-*/req_*")), "the spool is empty")


def test_an_address_in_the_place_of_the_picture_leads_to_it(client, model, real):
    answer = client.images.generate(
        model=model, prompt="a red fox", n=2, response_format="url", extra_body={"steps": 2, "seed": 5}
    )
    assert [row.seed for row in answer.data] == [5, 6]
    assert all(row.url.startswith(f"{real.url}/v1/images/files/") and row.url.endswith(".png") for row in answer.data)
    fetched = [httpx.get(row.url, timeout=BOUND) for row in answer.data]
    assert {answer.headers["content-type"] for answer in fetched} == {"image/png"}
    same = draw(client, model, n=2, seed=5, steps=2)
    for file, row in zip(fetched, same.data, strict=True):
        assert np.abs(np.asarray(Image.open(io.BytesIO(file.content))).astype(int) - pixels(row)).max() <= 2
    other = httpx.get(answer.data[0].url[:-6] + "xx.png", timeout=BOUND)
    assert other.status_code == 404
    assert other.json()["error"]["code"] == "file_expired"


def test_a_stream_ends_with_the_address_too(client, model):
    *_, last = draw(client, model, stream=True, response_format="url", output_format="webp")
    assert (last.type, last.b64_json) == ("image_generation.completed", None)
    assert Image.open(io.BytesIO(httpx.get(last.url, timeout=BOUND).content)).format == "WEBP"


@pytest.mark.parametrize("url", ["ftp://farm", "http://farm/?x=", "farm"])
def test_an_address_that_cannot_be_one_is_refused(url, real, model):
    body = {"model": model, "prompt": "a red fox", "steps": 1, "response_format": "url"}
    answer = httpx.post(
        f"{real.url}/v1/images/generations", json=body, headers={"X-LF-Files-URL": url}, timeout=PATIENCE
    )
    assert answer.status_code == 400
    assert "X-LF-Files-URL holds no address" in answer.json()["error"]["message"]


def test_a_client_that_goes_away_ends_the_drawing(real, model):
    body = {"model": model, "prompt": "a fox", "steps": 500, "size": "256x256", "stream": True}
    with httpx.stream("POST", f"{real.url}/v1/images/generations", json=body, timeout=PATIENCE) as answer:
        first = next(line for line in answer.iter_lines() if line and not line.startswith(":"))
        assert first.startswith("event: image_generation.progress")

    def idle():
        rows = httpx.get(f"{real.url}/v1/models", timeout=BOUND).json()["data"]
        return all(row["queue"]["running"] == 0 for row in rows)

    wait_until(idle, "the drawing has ended")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"size": "33x32"}, "size", "multiples of 2 pixels"),
        ({"size": "big"}, "size", "must be `auto`, or a width and a height"),
        ({"scheduler": "magic"}, "scheduler", "The scheduler `magic` does not fit this model"),
        ({"n": 100}, "n", "a whole number from 1 to 10"),
        ({"partial_images": 2}, "partial_images", "Only a stream can show unfinished pictures"),
        ({"partial_images": 4, "stream": True}, "partial_images", "a whole number from 0 to 3"),
        ({"quality": "hd"}, "quality", "is not supported here: say `steps`"),
        ({"step": 3}, "step", "Unknown field"),
        ({"prompt": "x" * 500}, "prompt", "this model reads 77"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_field(fields, param, message, real, model):
    answer = post(real, model, **fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert message in error["message"]


def png(seed=0, alpha=None):
    picture = np.random.default_rng(seed).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture if alpha is None else np.dstack([picture, alpha])).save(buffer, "PNG")
    return ("picture.png", buffer.getvalue(), "image/png")


def test_a_picture_is_changed_where_its_mask_is_transparent(client, model):
    hole = np.full((32, 48), 255, np.uint8)
    hole[:, :24] = 0
    asked = {"model": model, "prompt": "a fox", "image": png(), "mask": png(1, alpha=hole)}
    answer = client.images.edit(**asked, n=2, extra_body={"steps": 4, "seed": 3, "strength": 0.9})
    assert [pixels(row).shape for row in answer.data] == [(26, 38, 3)] * 2  # about as many pixels as its own 32x32
    assert [row.seed for row in answer.data] == [3, 4]
    *progress, completed = client.images.edit(**asked, stream=True, extra_body={"steps": 4, "seed": 3, "strength": 0.9})
    assert {event.type for event in progress} == {"image_edit.progress"}
    assert completed.type == "image_edit.completed"
    assert np.abs(pixels(completed) - pixels(answer.data[0])).max() <= 2


def test_a_picture_is_varied(spool, client, model):
    with pytest.warns(DeprecationWarning, match="deprecated"):  # by OpenAI, of whose models none does it any more
        answer = client.images.create_variation(model=model, image=png(), n=2, size="64x32", extra_body={"steps": 4})
    assert [pixels(row).shape for row in answer.data] == [(32, 64, 3)] * 2
    wait_until(lambda: not any(spool.glob("spool-*/req_*")), "the spool is empty")


@pytest.mark.parametrize(
    ("files", "fields", "param", "message"),
    [
        ({}, {"prompt": "a"}, "image", "is missing"),
        ({"image": ("a.svg", b"<svg/>", "image/svg+xml")}, {"prompt": "a"}, "image", "The file is no picture"),
        ({"image": png()}, {"prompt": "a", "strength": "2"}, "strength", "greater than 0, at most 1"),
        ({"image": png()}, {"prompt": "a", "input_fidelity": "high"}, "input_fidelity", "say `strength`"),
        ({"image": png(), "mask": png(1)}, {}, "prompt", "is missing"),
    ],
)
def test_a_form_that_is_wrong_is_refused_with_its_field(files, fields, param, message, real, model):
    form = {name: (None, value) for name, value in {"model": model, **fields}.items()}
    answer = httpx.post(f"{real.url}/v1/images/edits", files={**form, **files}, timeout=PATIENCE)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert message in error["message"]


def test_a_model_that_draws_nothing_says_what_it_does(real, llama):
    answer = post(real, str(llama), steps=None)
    assert answer.status_code == 400
    assert "it cannot do `images`, only" in answer.json()["error"]["message"]
