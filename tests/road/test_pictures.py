"""Pictures as vectors, through the whole road: `lf`, the API, Python, and a real model of the Universal Runtime."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import llamafarm
import numpy as np
import pytest
from commands import Served
from farms import Farm
from picture_model import make_picture_model
from PIL import Image
from projects import MINILM


@pytest.fixture(scope="module")
def album(shared: Farm, counting: Path, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project with two pictures and a model that reads them, in the runtime of the shared project."""
    folder = tmp_path_factory.mktemp("album")
    model = make_picture_model(folder / "model", counting)
    made = Farm(folder, {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
    made.write(
        f"""
        runtime:
          models:
            clip: {{provider: universal, model: {model}}}
            minilm: {{provider: universal, model: "{MINILM}"}}
        """
    )
    for seed, name in enumerate(["llama.png", "tractor.jpg"]):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return made


def vectors(answer: dict[str, Any]) -> list[list[float]]:
    return [row["embedding"] for row in answer["data"]]


@pytest.fixture(scope="module")
def told(album: Farm) -> list[list[float]]:
    """The vectors of a text and both pictures, as `lf embed` prints them."""
    done = album.lf("embed", "a llama", "--image", "llama.png", "--image", "tractor.jpg", "--json")
    assert done.returncode == 0, done.stderr
    return vectors(json.loads(done.stdout))


def test_texts_and_pictures_are_vectors_of_one_space(told: list[list[float]]) -> None:
    assert [len(vector) for vector in told] == [32, 32, 32]
    assert [float(np.linalg.norm(vector)) for vector in told] == pytest.approx([1, 1, 1], abs=1e-4)
    assert len({tuple(vector) for vector in told}) == 3


def test_the_model_is_shown_as_one_that_reads_pictures(album: Farm, told: list[list[float]]) -> None:
    assert "vision" in album.lf("models", "show", "clip").stdout


def test_the_api_and_python_give_the_same_vectors(
    album: Farm, told: list[list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in album.environ.items():  # of this very process, since it asks the runtime itself
        monkeypatch.setenv(name, value)
    coded = base64.b64encode((album.folder / "llama.png").read_bytes()).decode()
    url = f"data:image/png;base64,{coded}"
    body = {"model": "clip", "input": [{"type": "image_url", "image_url": {"url": url}}, "a llama"]}
    with Served(album) as root:
        answer = httpx.post(f"{root}/v1/embeddings", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        assert np.allclose(vectors(answer.json()), [told[1], told[0]], atol=1e-5)
    with llamafarm.open(album.folder) as farm:
        answered = farm.ask("embeddings", {"input": [{"image": coded}]}, model="clip")
    assert np.allclose(vectors(answered), [told[1]], atol=1e-5)


def test_twenty_megabytes_come_through_the_api(album: Farm) -> None:
    large = album.folder / "large.png"
    pixels = np.random.default_rng(5).integers(0, 256, (2640, 2640, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(large, compress_level=0)
    assert large.stat().st_size > 19 * 2**20
    url = f"data:image/png;base64,{base64.b64encode(large.read_bytes()).decode()}"
    with Served(album) as root:
        answer = httpx.post(f"{root}/v1/embeddings", json={"model": "clip", "input": [{"image": url}]}, timeout=60)
    assert answer.status_code == 200, answer.text[:500]


def test_a_picture_that_cannot_be_read_is_told_with_its_number(album: Farm) -> None:
    (album.folder / "broken.png").write_bytes((album.folder / "llama.png").read_bytes()[:200])
    done = album.lf("embed", "--model", "clip", "--image", "llama.png", "--image", "broken.png")
    assert done.returncode == 1
    assert "Input 1: The picture is broken, or breaks off" in done.stderr


def test_a_model_that_reads_texts_says_so(album: Farm) -> None:
    done = album.lf("embed", "--model", "minilm", "--image", "llama.png")
    assert done.returncode == 1
    assert "Input 0 is a picture; this model reads texts only." in done.stderr
    assert "CLIP" in done.stderr
