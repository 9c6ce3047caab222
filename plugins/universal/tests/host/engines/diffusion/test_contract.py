"""The diffusion engine keeps the contract that every engine keeps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llamafarm_universal.engine import Finished, SpoolFolder
from llamafarm_universal.messages import Blob, DrawImage, Drawing, EditImage, VaryImage
from llamafarm_universal.testing import EngineContract

from .conftest import alike, as_blob, pixels

FOLDER = SpoolFolder(Path(tempfile.mkdtemp()) / "request", 2**30, 2**30)
FOLDER.path.mkdir()
PICTURE = as_blob(np.random.default_rng(0).integers(0, 256, (40, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="module", autouse=True)
def _removed() -> Iterator[None]:
    yield
    shutil.rmtree(FOLDER.path.parent)


class TestDiffusion(EngineContract):
    engine = "llamafarm_universal.host.engines.diffusion.spec:ENGINE"
    works = [
        DrawImage("a fox", n=2, drawing=Drawing(steps=1, seed=1, width=32, height=32)),
        EditImage("a fox", PICTURE, PICTURE, drawing=Drawing(steps=2, seed=4), folder=FOLDER),
        VaryImage(PICTURE, drawing=Drawing(steps=2, seed=6), folder=FOLDER),
    ]
    long = DrawImage("a goat", drawing=Drawing(steps=30, seed=20, width=32, height=32))
    wrong = [
        DrawImage("x" * 300),
        DrawImage("a fox", drawing=Drawing(scheduler="none")),
        DrawImage("a fox", drawing=Drawing(width=31, height=31)),
        VaryImage(Blob("image/png", 4, b"none"), folder=FOLDER),
        VaryImage(PICTURE, strength=0.1, drawing=Drawing(steps=2), folder=FOLDER),
    ]

    @pytest.fixture
    def model_folder(self, pipeline_folder: Any) -> Path:
        return pipeline_folder("sd3")

    def weights(self, engine: Any) -> list[Any]:
        return [parameter for part in engine._pipelines.modules for parameter in part.parameters()]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever is drawn with its seed fails."""
        import torch

        seeds = {picture.seed for picture in engine._waiting if picture.request.request_id == request_id}
        generator = torch.Generator

        class Broken(generator):
            def manual_seed(self, seed: int) -> Any:
                if seed in seeds:
                    raise RuntimeError("broken")
                return super().manual_seed(seed)

        monkeypatch.setattr(torch, "Generator", Broken)

    def alike(self, alone: Any, together: Any) -> bool:
        pairs = zip(alone.finished, together.finished, strict=True)
        return all(_near(one, other) for one, other in pairs)


def _near(one: Finished, other: Finished) -> bool:
    return one.index == other.index and alike(pixels(one.value), pixels(other.value))
