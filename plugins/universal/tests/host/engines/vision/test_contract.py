"""The vision engine keeps the contract that others are held to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from encoders import break_forwards
from llamafarm_universal.engine import (
    Blob,
    CaptionPictures,
    ClassifyPictures,
    DetectObjects,
    Limits,
    SegmentPictures,
    SpoolFolder,
    Work,
)
from llamafarm_universal.testing import EngineContract
from pictures import blob_of, noise
from vision_models import make_vision_model

PICTURES = tuple(blob_of(noise(number, *size)) for number, size in enumerate([(60, 40), (40, 60), (33, 33)]))
MANY = tuple(blob_of(noise(number, 60, 40)) for number in range(16))
BROKEN = (Blob("image/png", 3, data=b"abc"),)


class Vision(EngineContract):
    """The model looks at four pictures in a step, or at one where it has a choice of sizes."""

    engine = "llamafarm_universal.host.engines.vision.spec:ENGINE"
    kind: ClassVar[str]
    batch: ClassVar[int] = 64

    @pytest.fixture(autouse=True)
    def asked_with(self, tmp_path: Path) -> None:
        """Works come with the folder of their request."""
        self.limits = Limits(batch_tokens=self.batch)  # now, since its media's settings depend on the environment
        folder = SpoolFolder(tmp_path / "request", 2**30, 2**30)
        folder.path.mkdir()
        self.works, self.long, self.wrong = self.all_of(folder)

    def all_of(self, folder: SpoolFolder) -> tuple[Sequence[Work], Work, Sequence[Work]]:
        """The sample works, the long one, and the wrong ones."""
        raise NotImplementedError

    @pytest.fixture
    def model_folder(self, models_folder: Path, word_tokenizer: Any) -> Path:
        return make_vision_model(models_folder / f"vision-{self.kind}", self.kind, word_tokenizer)

    def weights(self, engine: Any) -> list[Any]:
        return [engine._encoder, engine._encoder._module]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        break_forwards(engine, request_id, monkeypatch)

    def alike(self, alone: Any, together: Any) -> bool:
        [one], [beside] = alone.finished, together.finished
        return one.usage == beside.usage and rounded(one.value) == rounded(beside.value)


def rounded(value: Any) -> Any:
    """A value whose numbers have lost what differs between batches."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return tuple(map(rounded, value))
    if isinstance(value, Blob):
        return value.media_type
    return rounded(tuple(vars(value).values())) if hasattr(value, "__dict__") else value


class TestClasses(Vision):
    kind = "vit"

    def all_of(self, folder: SpoolFolder) -> tuple[Sequence[Work], Work, Sequence[Work]]:
        wrong = [ClassifyPictures((), folder), ClassifyPictures(BROKEN, folder)]
        return (
            [ClassifyPictures(PICTURES[:1], folder), ClassifyPictures(PICTURES, folder)],
            ClassifyPictures(MANY, folder),
            wrong,
        )


class TestObjects(Vision):
    kind = "detr"
    batch = 16

    def all_of(self, folder: SpoolFolder) -> tuple[Sequence[Work], Work, Sequence[Work]]:
        works = [DetectObjects(PICTURES[:1], folder), DetectObjects(PICTURES, folder, threshold=0.1)]
        return works, DetectObjects(MANY, folder), [DetectObjects(MANY, folder, ("a cat",))]


class TestParts(Vision):
    """What the model says is read in steps of its own, and that is what fails."""

    kind = "segformer"

    def all_of(self, folder: SpoolFolder) -> tuple[Sequence[Work], Work, Sequence[Work]]:
        works = [SegmentPictures(PICTURES[:1], folder), SegmentPictures(PICTURES, folder, "semantic")]
        return works, SegmentPictures(MANY, folder), [SegmentPictures(BROKEN, folder)]

    def fail(self, engine: Any, request_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        head = engine._heads["segment_pictures"]
        [job] = [job for job in engine._jobs if job.request_id == request_id]
        item = head.item

        def broken(work: Any, row: Any, seen: Any) -> Any:
            if row in job.rows.distinct and work is job.work:
                yield
                raise RuntimeError("broken")
            return (yield from item(work, row, seen))

        monkeypatch.setattr(head, "item", broken)


class TestCaptions(Vision):
    kind = "blip"

    def all_of(self, folder: SpoolFolder) -> tuple[Sequence[Work], Work, Sequence[Work]]:
        works = [CaptionPictures(PICTURES[:1], folder, max_tokens=2), CaptionPictures(PICTURES, folder, "hello", 3)]
        return works, CaptionPictures(MANY, folder, max_tokens=8), [CaptionPictures(PICTURES, folder, max_tokens=100)]
