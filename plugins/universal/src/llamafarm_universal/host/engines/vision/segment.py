"""Pictures divided into parts, each with a mask."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import PartKind, PicturePart, PictureParts, SegmentPictures, refused
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.vision.head import PicturesHead, size_of
from llamafarm_universal.host.engines.vision.model import Seen, output_of
from llamafarm_universal.host.engines.vision.png import mask_png
from llamafarm_universal.host.engines.vision.spec import MOST_NUMBERS

KINDS: tuple[PartKind, ...] = ("panoptic", "instance", "semantic")
"""The finest first."""


_Part = tuple[int, str, float | None]
"""A part's number, label and score."""


class SegmentsHead(PicturesHead):
    """kinds: what the model's image processor can make of its output. labels: by the numbers of the classes.

    says: the fields of the model's output that the image processor reads.
    """

    def __init__(
        self, pictures: ProcessedPictures, labels: Mapping[int, str], kinds: Sequence[PartKind], says: Sequence[str]
    ) -> None:
        super().__init__(pictures)
        self.says = says
        self._labels = labels
        self._kinds = kinds

    def asked(self, work: SegmentPictures) -> Hashable:
        if work.kind is not None and work.kind not in self._kinds:
            able = " or ".join(f"`{kind}`" for kind in self._kinds)
            raise refused(f"This model makes no `{work.kind}` parts, but {able} ones.", "kind")
        return None

    def item(self, work: SegmentPictures, row: Row, seen: Seen) -> Generator[None, None, PictureParts]:
        """In pieces: the parts of a large picture have many masks."""
        kind = work.kind or self._kinds[0]
        height, width = size_of(row)
        within = _within(height, width, max(len(tensor) for tensor in seen.values()))
        find = self._classes if kind == "semantic" else self._things
        numbers, parts = find(kind, work, seen, within)
        whole = _enlarged(numbers, (height, width))
        segments = []
        for number, label, score in parts:
            yield
            segments.append(PicturePart(label, score, mask_png(whole == number, work.folder)))
        return PictureParts(width, height, kind, tuple(segments))

    def _classes(
        self, _kind: PartKind, _work: SegmentPictures, seen: Seen, within: tuple[int, int]
    ) -> tuple[NDArray[Any], list[_Part]]:
        """The class of each pixel, and which classes there are."""
        [classes] = self._pictures.processor.post_process_semantic_segmentation(output_of(seen), target_sizes=[within])
        numbers: NDArray[Any] = classes.numpy()
        return numbers, [(number, self._labels[number], None) for number in np.unique(numbers).tolist()]

    def _things(
        self, kind: PartKind, work: SegmentPictures, seen: Seen, within: tuple[int, int]
    ) -> tuple[NDArray[Any], list[_Part]]:
        """The number of the part of each pixel, and those parts with their labels and scores."""
        process = getattr(self._pictures.processor, f"post_process_{kind}_segmentation")
        fused: dict[str, Any] = {"label_ids_to_fuse": set()} if kind == "panoptic" else {}
        [found] = process(output_of(seen), threshold=work.threshold, target_sizes=[within], **fused)
        parts = [(part["id"], self._labels[part["label_id"]], part["score"]) for part in found["segments_info"]]
        return found["segmentation"].numpy(), parts


class TaskedSegmentsHead(SegmentsHead):
    """Of a model that is told which kind of parts is wanted. tasks: the tokens that say so, by kind."""

    def __init__(
        self,
        pictures: ProcessedPictures,
        labels: Mapping[int, str],
        tasks: Mapping[PartKind, tuple[int, ...]],
        says: Sequence[str],
    ) -> None:
        super().__init__(pictures, labels, [*tasks], says)
        self._tasks = tasks

    def asked(self, work: SegmentPictures) -> Hashable:
        super().asked(work)
        return (("task_inputs", (self._tasks[work.kind or self._kinds[0]],)),)


def task_tokens(tokenizer: Any, length: int) -> dict[PartKind, tuple[int, ...]]:
    """What says each kind of parts, as OneFormer's own processor writes it: its padding is 0, whatever the tokenizer's.

    Single things are left out: which classes are things stands in no file of the model. Both together are found where
    torchvision is installed, which the model's image processor uses for them alone.
    """
    from transformers.utils import is_torchvision_available

    kinds: list[PartKind] = ["panoptic", "semantic"] if is_torchvision_available() else ["semantic"]
    texts: dict[PartKind, list[int]] = {kind: tokenizer(f"the task is {kind}").input_ids[:length] for kind in kinds}
    return {kind: (*ids, *[0] * (length - len(ids))) for kind, ids in texts.items()}


def kinds_of(processor: Any) -> list[PartKind]:
    """What an image processor makes, the finest first."""
    return [kind for kind in KINDS if hasattr(processor, f"post_process_{kind}_segmentation")]


def _within(height: int, width: int, classes: int) -> tuple[int, int]:
    """The height and width in which parts are found."""
    share = min(1.0, (MOST_NUMBERS / (height * width * classes)) ** 0.5)
    return max(1, int(height * share)), max(1, int(width * share))


def _enlarged(numbers: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """[height, width] in another size: each pixel is the one that lies there."""
    if numbers.shape == size:
        return numbers
    rows, columns = (np.arange(after) * before // after for before, after in zip(numbers.shape, size, strict=True))
    enlarged: NDArray[Any] = numbers[rows][:, columns]
    return enlarged
