"""Pictures through the whole road: `lf image`, the API, Python, and a real model of the Universal Runtime."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import time
from typing import Any

import httpx
import llamafarm
import numpy as np
import openai
import pytest
from commands import BOUND, Served
from drawing_model import make_drawing_adapter, make_drawing_model
from farms import LF, Farm
from PIL import Image


@pytest.fixture(scope="module")
def studio(shared: Farm, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project whose model draws, as its entry says, in the runtime of the shared project."""
    folder = tmp_path_factory.mktemp("studio")
    model = make_drawing_model(folder / "model")
    make_drawing_adapter(folder / "foxes")
    made = Farm(folder, {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
    made.write(
        f"""
        runtime:
          models:
            painter:
              provider: universal
              model: {model}
              transformers: {{device: auto, dtype: auto, model_type: image}}
              diffusion: {{default_steps: 2, default_guidance: 5, default_size: 48x32, scheduler: euler}}
              adapters:
                - {{name: foxes, model: ./foxes}}
                - {{name: few-foxes, model: ./foxes/foxes.safetensors, scale: 0}}
        """
    )
    return made


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def drawn(studio: Farm) -> bytes:
    """The picture that `lf image` draws with seed 4."""
    done = studio.lf("image", "a red fox", "-o", "fox.png", "--seed", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fox.png\n"
    return (studio.folder / "fox.png").read_bytes()


def test_the_picture_is_as_large_as_the_entry_says(drawn: bytes) -> None:
    assert pixels(drawn).shape == (32, 48, 3)


def test_an_adapter_of_the_entry_changes_the_picture_as_its_scale_says(studio: Farm, drawn: bytes) -> None:
    for adapter, changes in (("foxes", True), ("few-foxes", False)):
        done = studio.lf("image", "a red fox", "-o", f"{adapter}.png", "--seed", "4", "--model", f"painter:{adapter}")
        assert done.returncode == 0, done.stderr
        changed = np.abs(pixels((studio.folder / f"{adapter}.png").read_bytes()) - pixels(drawn)).max() > 2
        assert bool(changed) is changes


def test_what_saves_memory_is_said_of_the_model(studio: Farm, drawn: bytes) -> None:
    shown = studio.lf("models", "show", "painter").stdout.splitlines()
    assert [line.split(":")[1].strip() for line in shown if line.startswith("optimizations")] == [
        "vae_slicing, vae_tiling"
    ]


def test_the_request_wins_over_the_entry(studio: Farm, drawn: bytes) -> None:
    done = studio.lf("image", "a red fox", "-o", "fox.webp", "-n", "2", "--size", "32x32", "--seed", "4", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["pictures"]
    assert rows == [{"path": "fox-1.webp", "seed": 4}, {"path": "fox-2.webp", "seed": 5}]
    with Image.open(studio.folder / "fox-2.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (32, 32))


def test_a_picture_is_changed_where_a_mask_says(studio: Farm, drawn: bytes) -> None:
    mask = np.zeros((32, 48, 3), np.uint8)
    mask[:, :24] = 255
    Image.fromarray(mask).save(studio.folder / "mask.png")
    changed = ["--seed", "4", "--steps", "4", "--strength", "0.9", "--size", "48x32"]
    done = studio.lf("image", "a hen", "--image", "fox.png", "--mask", "mask.png", *changed, "-o", "hen.png", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"pictures": [{"path": "hen.png", "seed": 4}]}
    moved = np.abs(pixels((studio.folder / "hen.png").read_bytes()) - pixels(drawn)).mean(axis=(0, 2))
    assert moved[:20].mean() > 1.3 * moved[28:].mean()  # its autoencoder was not trained, and changes all a little


def test_a_picture_that_is_changed_comes_through_a_pipe_and_is_shown(studio: Farm, drawn: bytes) -> None:
    viewer = studio.folder / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" >> {studio.folder}/shown\n')
    viewer.chmod(0o755)
    command = [str(LF), "image", "a hen", "--image", "-", "--steps", "4", "--open", "-o", "piped.png"]
    path = f"{viewer.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**studio.env(), "PATH": path}
    done = subprocess.run(command, cwd=studio.folder, env=env, input=drawn, capture_output=True, timeout=90, check=True)
    assert done.stdout == b"piped.png\n"
    end = time.monotonic() + BOUND
    while not (studio.folder / "shown").exists():
        assert time.monotonic() < end, "the viewer was not started"
        time.sleep(0.05)
    assert (studio.folder / "shown").read_text() == f"{studio.folder}/piped.png\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mask", "mask.png"], "name it with --image"),
        (["--image", "none.png"], "none.png: No such file or directory"),
        (["--open", "-o", "-"], "--open shows a file"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_drawn(arguments, message, studio: Farm) -> None:
    done = studio.lf("image", "a hen", *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr


def test_the_picture_goes_through_a_pipe(studio: Farm, drawn: bytes) -> None:
    command = [str(LF), "image", "a red fox", "-o", "-", "--seed", "4"]
    piped = subprocess.run(command, cwd=studio.folder, env=studio.env(), capture_output=True, timeout=90, check=True)
    assert np.abs(pixels(piped.stdout) - pixels(drawn)).max() <= 2


def test_the_api_and_python_draw_the_same(studio: Farm, drawn: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in studio.environ.items():  # of this very process, since it asks the runtime itself
        monkeypatch.setenv(name, value)
    with Served(studio) as root, openai.OpenAI(base_url=f"{root}/v1", api_key="none") as client:
        answer = client.images.generate(model="painter", prompt="a red fox", extra_body={"seed": 4})
        events = list(client.images.generate(model="painter", prompt="a red fox", extra_body={"seed": 4}, stream=True))
        edited = client.images.edit(
            model="painter", prompt="a fox", image=drawn, size="32x32", extra_body={"seed": 4, "steps": 4}
        )
        with pytest.warns(DeprecationWarning, match="deprecated"):  # by OpenAI, of whose models none does it any more
            varied = client.images.create_variation(model="painter", image=drawn, extra_body={"seed": 4, "steps": 4})
    assert pixels(base64.b64decode(edited.data[0].b64_json)).shape == (32, 32, 3)
    assert pixels(base64.b64decode(varied.data[0].b64_json)).shape[1] > 32, "as its picture, and not as the entry says"
    with llamafarm.open(studio.folder) as farm:
        python = json.loads(farm.ask("images", {"prompt": "a red fox", "seed": 4}, model="painter"))
    assert [event.type for event in events][-1] == "image_generation.completed"
    for coded in (answer.data[0].b64_json, events[-1].b64_json, python["data"][0]["b64_json"]):
        assert np.abs(pixels(base64.b64decode(coded)) - pixels(drawn)).max() <= 2


def test_an_address_is_one_of_the_api_whose_client_knows_no_runtime(studio: Farm, drawn: bytes) -> None:
    with Served(studio) as root, openai.OpenAI(base_url=f"{root}/v1", api_key="none") as client:
        asked = {"model": "painter", "prompt": "a red fox", "extra_body": {"seed": 4}}
        [row] = client.images.generate(**asked, response_format="url").data
        assert row.url.startswith(f"{root}/v1/models/painter/files/")
        assert np.abs(pixels(httpx.get(row.url, timeout=90).content) - pixels(drawn)).max() <= 2
        gone = httpx.get(row.url.replace(".png", "x.png"), timeout=90)
    assert gone.status_code == 404
    assert gone.json()["error"]["code"] == "file_expired"
    assert "base_url" not in gone.json()["error"]["message"]


def test_what_the_model_cannot_do_is_said(studio: Farm) -> None:
    done = studio.lf("image", "a fox", "--scheduler", "magic")
    assert done.returncode == 1
    assert "The scheduler `magic` does not fit this model." in done.stderr
    assert "There is: ddim" in done.stderr
    assert studio.lf("image", "a fox", "-o", "fox.gif").returncode == 2
