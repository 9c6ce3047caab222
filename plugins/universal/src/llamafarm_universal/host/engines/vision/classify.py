"""The classes of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from llamafarm_universal.engine import ClassifyPictures, Label
from llamafarm_universal.host.engines.encode.classify import Activation, activated
from llamafarm_universal.host.engines.encode.pictures import ProcessedPictures
from llamafarm_universal.host.engines.encode.rows import Row
from llamafarm_universal.host.engines.encode.zero_shot import ranked
from llamafarm_universal.host.engines.vision.head import PicturesHead
from llamafarm_universal.host.engines.vision.model import Seen


class ClassesHead(PicturesHead):
    """labels: of the model's classes, in their order. activation: what makes scores of its numbers."""

    says = ("logits",)

    def __init__(self, pictures: ProcessedPictures, labels: Sequence[str], activation: Activation) -> None:
        super().__init__(pictures)
        self._labels = labels
        self._activation: Activation = activation

    def item(self, work: ClassifyPictures, _row: Row, seen: Seen) -> tuple[Label, ...]:
        scores = activated(seen["logits"].numpy(), self._activation)
        return ranked(self._labels, scores.tolist())[: work.top]
