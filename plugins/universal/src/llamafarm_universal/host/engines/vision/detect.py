"""Objects in pictures, and where they are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from llamafarm_universal.engine import DetectObjects, Found, Object, refused
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.vision.head import PicturesHead, size_of
from llamafarm_universal.host.engines.vision.model import Seen, output_of

THRESHOLD = 0.5
"""Of scores, where a request says none. Source: transformers' object detection pipeline."""


class ObjectsHead(PicturesHead):
    """Objects of the classes that the model was trained on. labels: by the numbers of the classes."""

    says: Sequence[str] = ("logits", "pred_boxes")

    def __init__(self, pictures: ProcessedPictures, labels: Mapping[int, str]) -> None:
        super().__init__(pictures)
        self._labels = labels

    def asked(self, work: DetectObjects) -> Hashable:
        if work.labels:
            raise refused(
                f"This model finds what it was trained on ({len(self._labels):,} classes), and no labels of a request.",
                "candidate_labels",
                hint="Leave `candidate_labels` out, or use a model for them, such as OWLv2 or Grounding DINO.",
            )
        return None

    def item(self, work: DetectObjects, row: Row, seen: Seen) -> Found:
        threshold = THRESHOLD if work.threshold is None else work.threshold
        [found] = self._pictures.processor.post_process_object_detection(
            output_of(seen), threshold=threshold, target_sizes=[size_of(row)]
        )
        labels = [self._labels[int(number)] for number in found["labels"]]
        return found_in(row, labels, found["scores"].tolist(), found["boxes"].tolist())


def found_in(row: Row, labels: Sequence[str], scores: Sequence[float], boxes: Sequence[Any]) -> Found:
    """The objects of a picture, the likeliest first. boxes: of four numbers each, in pixels."""
    objects = [Object(label, score, tuple(box)) for label, score, box in zip(labels, scores, boxes, strict=True)]
    height, width = size_of(row)
    return Found(width, height, tuple(sorted(objects, key=lambda item: -item.score)))
