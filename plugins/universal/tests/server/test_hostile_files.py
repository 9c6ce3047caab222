"""Hostile pictures on every road that takes them: a real server, real hosts, and real models."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from runtime_servers import BOUND, wait_until

PATIENCE = 3 * BOUND
ORIENTATION = 0x0112
ROADS = ["embeddings", "vision", "edits"]


@pytest.fixture(scope="module")
def send(real, models):
    """send(road, content) sends a file as a picture on one of the roads."""

    def sent(road: str, content: bytes, **fields: str) -> httpx.Response:
        if road == "embeddings":
            body = {"model": str(models["towers"]), "input": [{"image": base64.b64encode(content).decode()}]}
            return httpx.post(f"{real.url}/v1/embeddings", json=body, timeout=PATIENCE)
        path = "vision/zero-shot" if road == "vision" else "images/edits"
        name = "file" if road == "vision" else "image"
        own = {"vision": {"candidate_labels": "cow"}, "edits": {"prompt": "a cow", "steps": "2", "seed": "1"}}[road]
        form = {"model": str(models["towers" if road == "vision" else "pictures"]), **own, **fields}
        return httpx.post(f"{real.url}/v1/{path}", data=form, files={name: ("a.png", content)}, timeout=PATIENCE)

    return sent


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(height: int = 32, width: int = 32) -> Image.Image:
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, (height, width, 3), dtype=np.uint8))


def drawn(answer: httpx.Response) -> bytes:
    return base64.b64decode(answer.json()["data"][0]["b64_json"])


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', 400, "is no picture"),
        (saved(Image.new("L", (9000, 9000))), 413, "9,000 x 9,000 pixels"),
        (saved(noise())[:200], 400, "broken, or breaks off"),
    ],
    ids=["svg", "bomb", "cut"],
)
def test_what_is_no_sound_picture_is_refused_with_the_reason(road, content, status, message, send):
    answer = send(road, content)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]["message"]


def test_what_stands_behind_a_picture_changes_nothing_and_goes_nowhere(send):
    clean = saved(noise())
    hidden = b"PK\x03\x04 secret <script>alert(1)</script>"
    for road in ROADS:
        answers = [send(road, content).json() for content in (clean, clean + hidden)]
        if road == "edits":
            assert hidden not in drawn(send(road, clean + hidden))
        assert answers[0]["data"] == answers[1]["data"]


def test_a_picture_is_turned_as_its_camera_was(send):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    upright = noise(16, 24)
    turned = saved(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert Image.open(io.BytesIO(drawn(send("edits", turned, strength="1")))).size == (24, 16)
    for road in ("embeddings", "vision"):
        assert send(road, turned).json()["data"] == send(road, saved(upright)).json()["data"]


def test_nothing_of_them_is_left(send):
    send("vision", b"<svg/>")
    spool = Path(os.environ["LF_DATA_DIR"]) / "spool"
    wait_until(lambda: not any(spool.glob("spool-*/req_*")), "the spool is empty")
