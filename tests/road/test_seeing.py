"""Chats about pictures and films through the whole road: `lf`, the API with the official client, and a real model."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import openai
import pytest
from commands import Served
from farms import Farm
from projects import MINILM

sys.path.append(str(Path(__file__).parents[2] / "plugins" / "universal" / "tests"))  # where the small models are made

from films import film, frames_of
from multimodal_models import make_multimodal_model
from pictures import noise, png
from tiny_models import make_tokenizer


@pytest.fixture(scope="module")
def album(shared: Farm, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project with two pictures, and a model that chats about them, in the shared runtime."""
    folder = tmp_path_factory.mktemp("seeing")
    model = make_multimodal_model(folder / "model", "llava", make_tokenizer())
    made = Farm(folder, {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
    made.write(
        f"""
        runtime:
          models:
            minilm: {{provider: universal, model: "{MINILM}"}}
            seer:
              {{provider: universal, model: {model},
                model_api_parameters: {{temperature: 0.0, max_tokens: 12}}}}
        """
    )
    for number, name in enumerate(["cow.png", "hen.png"]):
        (folder / name).write_bytes(png(noise(number, 60, 40)))
    return made


@pytest.fixture(scope="module")
def told(album: Farm) -> str:
    """What `lf see` prints; the model that sees is asked, and not the default one."""
    done = album.lf("see", "cow.png", "What is this?")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_and_the_api_say_the_same(album: Farm, told: str) -> None:
    whole = json.loads(album.lf("see", "cow.png", "What is this?", "--json").stdout)
    coded = base64.b64encode((album.folder / "cow.png").read_bytes()).decode()
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded}"}},
        {"type": "text", "text": "What is this?"},
    ]
    with Served(album) as root, openai.OpenAI(base_url=f"{root}/v1", api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model="seer", messages=[{"role": "user", "content": content}])  # type: ignore[misc, list-item]
    assert answer.choices[0].message.content == whole["choices"][0]["message"]["content"]
    assert told.strip() == whole["choices"][0]["message"]["content"].strip()


def test_another_picture_has_another_answer(album: Farm, told: str) -> None:
    assert album.lf("see", "hen.png", "What is this?").stdout != told
    assert album.lf("chat", "What is this?", "--file", "cow.png").stdout == told


def test_a_film_has_the_answer_of_its_pictures(album: Farm) -> None:
    walk = film(tuple(number / 4 for number in range(16)), level=15)
    (album.folder / "walk.mp4").write_bytes(walk)
    names = [f"walk-{number}.png" for number in range(8)]
    for name, frame in zip(names, frames_of(walk)[1::2], strict=True):
        (album.folder / name).write_bytes(png(frame))
    done = album.lf("see", "walk.mp4", "What is this?")
    assert done.returncode == 0, done.stderr
    assert done.stdout == album.lf("see", *names, "What is this?").stdout


def test_the_model_says_that_it_takes_pictures(album: Farm, told: str) -> None:
    done = album.lf("models", "show", "seer")
    assert done.returncode == 0, done.stderr
    assert "pictures" in done.stdout
