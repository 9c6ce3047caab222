"""Diffusion engines in this process, and small pipelines with random weights."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusion_models import MAKERS
from llamafarm_universal.engine import Failed, Finished, Progress, RequestFailed, Result, SpoolFolder, Work
from llamafarm_universal.host.engines.diffusion.load import load_diffusion
from llamafarm_universal.messages import Blob, LoadSettings, Machine, ModelRef
from llamafarm_universal.messages.plan import Limits
from llamafarm_universal.store.plan import make_plan
from PIL import Image

TOLERANCE = 2
"""Of 255: batches and single pictures are rounded differently in their last bits."""


def alike(picture: Any, other: Any, tolerance: int = TOLERANCE) -> bool:
    """Whether two pictures, as numbers, differ nowhere by more."""
    return picture.shape == other.shape and int(np.abs(picture - other).max()) <= tolerance


def pixels(blob: Blob) -> Any:
    """The numbers of a picture's file, from 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(blob.read())).convert("RGB")).astype(int)


def as_blob(array: Any) -> Blob:
    """Numbers of shape (height, width, channels) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return Blob("image/png", buffer.tell(), buffer.getvalue())


class Studio:
    """One engine, driven by hand."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        ref = ModelRef(str(folder), LoadSettings(device="cpu", dtype="fp32", **settings))
        self.folder = folder
        self.engine = load_diffusion(make_plan(ref, folder, Machine(), Limits()))
        self.told: dict[str, list[Result]] = {}

    def start(self, work: Work) -> list[Result]:
        """Submit a work. Returns the list that its events will be in."""
        events: list[Result] = []
        name = f"request-{len(self.told)}"
        self.told[name] = events
        self.engine.submit(name, work, self.engine.prepare(work), events.append)
        return events

    def draw(self, *works: Work) -> list[list[Any]]:
        """The pictures of each work; all of them are drawn beside each other."""
        told = [self.start(work) for work in works]
        while self.engine.step():
            pass
        return [drawn(events) for events in told]


def drawn(events: list[Result]) -> list[Any]:
    """The pictures of one work, by index."""
    assert not [event for event in events if isinstance(event, Failed)], events
    ends = sorted((event for event in events if isinstance(event, Finished)), key=lambda end: end.index)
    return [pixels(end.value) for end in ends]


def steps(events: list[Result]) -> list[tuple[int, int, int]]:
    """What was told of how far the pictures were."""
    return [(event.index, event.done, event.total) for event in events if isinstance(event, Progress)]


def refusal(studio: Studio, work: Work) -> RequestFailed:
    """Why a work is refused."""
    with pytest.raises(RequestFailed) as failure:
        studio.engine.prepare(work)
    return failure.value


@pytest.fixture
def folder(tmp_path: Path) -> SpoolFolder:
    path = tmp_path / "spool" / "request"
    path.mkdir(parents=True)
    return SpoolFolder(path, 2**30, 2**30)


def noise(height: int = 32, width: int = 32, channels: int = 3) -> Any:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.fixture(scope="session")
def pipeline_folder(models_folder: Path) -> Callable[[str], Path]:
    """The folder of a model, by its family: `sd1`, `sdxl`, `sd3`, `flux`."""

    def folder(family: str) -> Path:
        made = models_folder / family
        return made if made.is_dir() else MAKERS[family](made)

    return folder


@pytest.fixture(scope="session")
def studio(pipeline_folder: Callable[[str], Path]) -> Callable[[str], Studio]:
    """The engine with a model of a family."""
    made: dict[str, Studio] = {}

    def of(family: str) -> Studio:
        if family not in made:
            made[family] = Studio(pipeline_folder(family))
        return made[family]

    return of


@pytest.fixture(scope="session")
def plain(pipeline_folder: Callable[[str], Path]) -> Callable[..., Any]:
    """plain(family, seed, ...): what diffusers itself draws with the same weights."""
    import torch
    from diffusers import AutoPipelineForText2Image

    made: dict[str, Any] = {}

    def draw(family: str, seed: int, auto: Any = None, **told: Any) -> Any:
        if family not in made:
            made[family] = AutoPipelineForText2Image.from_pretrained(pipeline_folder(family), use_safetensors=True)
            made[family].set_progress_bar_config(disable=True)
        pipeline = auto.from_pipe(made[family]) if auto else made[family]
        pipeline.set_progress_bar_config(disable=True)
        image = pipeline(generator=torch.Generator().manual_seed(seed), **told).images[0]
        return np.asarray(image.convert("RGB")).astype(int)

    return draw
