"""What is seen in pictures, through the whole road: `lf`, the API, Python, and real models of the Universal Runtime."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import httpx
import llamafarm
import numpy as np
import pytest
from commands import Served
from farms import Farm
from picture_model import make_depth_model, make_detector, make_picture_model
from PIL import Image


@pytest.fixture(scope="module")
def album(shared: Farm, counting: Path, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """A project with two pictures and three models that look at them, in the runtime of the shared project.

    Which of them is asked, where none is named, their own files say.
    """
    folder = tmp_path_factory.mktemp("album")
    made = Farm(folder, {**shared.environ, "LF_DATA_DIR": str(shared.folder / "data")})
    made.write(
        f"""
        runtime:
          models:
            clip: {{provider: universal, model: {make_picture_model(folder / "clip", counting)}}}
            deep: {{provider: universal, model: {make_depth_model(folder / "depth")}}}
            finder: {{provider: universal, model: {make_detector(folder / "detector")}}}
        """
    )
    for seed, name in enumerate(["llama.png", "tractor.jpg"]):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return made


def data_url(album: Farm, name: str) -> str:
    return f"data:image/png;base64,{base64.b64encode((album.folder / name).read_bytes()).decode()}"


def test_a_file_is_sent_as_curl_sends_it(album: Farm) -> None:
    with Served(album) as root, (album.folder / "llama.png").open("rb") as file:
        form = {"model": "finder", "threshold": "0.1"}
        answer = httpx.post(f"{root}/v1/vision/detect", data=form, files={"file": file}, timeout=60)
        body = {"model": "finder", "input": data_url(album, "llama.png"), "threshold": 0.1}
        same = httpx.post(f"{root}/v1/vision/detect", json=body, timeout=60)
    assert answer.json() == same.json()


def test_objects_are_found_by_the_command_the_api_and_python(album: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    done = album.lf("detect", "llama.png", "tractor.jpg", "--threshold", "0.1", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["data"]
    assert [(row["index"], row["width"], row["height"]) for row in rows] == [(0, 60, 40), (1, 60, 40)]
    assert {item["label"] for item in rows[0]["objects"]} <= {"cow", "hen"}
    assert rows[0]["objects"]
    body = {"model": "finder", "input": [data_url(album, "llama.png")], "threshold": 0.1}
    with Served(album) as root:
        answer = httpx.post(f"{root}/v1/vision/detect", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"][0]["objects"][0]["label"] == rows[0]["objects"][0]["label"]
    for name, value in album.environ.items():  # of this very process, since it asks the runtime itself
        monkeypatch.setenv(name, value)
    with llamafarm.open(album.folder) as farm:
        asked = {"input": data_url(album, "llama.png"), "candidate_labels": ["a llama", "a tractor"]}
        [row] = farm.ask("vision/zero-shot", asked, model="clip")["data"]
    assert sum(label["score"] for label in row["classes"]) == pytest.approx(1, abs=1e-5)


def test_depth_is_a_picture_of_the_same_size(album: Farm) -> None:
    done = album.lf("depth", "llama.png", "-o", "out.png")
    assert done.returncode == 0, done.stderr
    depth = Image.open(io.BytesIO((album.folder / "out.png").read_bytes()))
    assert (depth.size, depth.mode) == ((60, 40), "I;16")
    assert done.stderr.splitlines()[-1].startswith("out.png: black is ")


def test_the_model_is_shown_with_what_it_can_do_and_refuses_the_rest(album: Farm) -> None:
    done = album.lf("detect", "llama.png", "-m", "deep")
    assert done.returncode == 1
    assert "loaded for the task `vision`: it cannot do `vision/detect`, only `vision/depth`" in done.stderr
    assert "vision/depth" in album.lf("models", "show", "deep").stdout


def test_a_picture_that_cannot_be_read_is_told_with_its_number(album: Farm) -> None:
    (album.folder / "broken.png").write_bytes((album.folder / "llama.png").read_bytes()[:200])
    done = album.lf("detect", "llama.png", "broken.png", "-m", "finder")
    assert done.returncode == 1
    assert "Input 1: The picture is broken, or breaks off" in done.stderr
