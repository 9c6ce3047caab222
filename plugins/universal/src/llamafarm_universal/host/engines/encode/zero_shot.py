"""Which labels fit a picture, by models that have pictures and texts in one space: CLIP, SigLIP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from llamafarm_universal.engine import Label, LabelPictures, Work, refused
from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.classify import activated
from llamafarm_universal.host.engines.encode.embed import Pictures
from llamafarm_universal.host.engines.encode.rows import Rows
from llamafarm_universal.host.engines.encode.sentence import PlainTexts


@dataclass(frozen=True)
class Likeness:
    """What makes scores of cosines: they are multiplied by `scale`, and shifted by `bias` where there is one.

    Labels are weighed against each other; each is judged by itself where the model was trained with a bias.
    """

    scale: float
    bias: float | None = None

    @classmethod
    def of(cls, module: Any) -> Likeness | None:
        """What a model was trained with; None where it says nothing. Source: transformers' CLIPModel, SiglipModel."""
        if (scale := getattr(module, "logit_scale", None)) is None:
            return None
        bias = getattr(module, "logit_bias", None)
        return cls(float(scale.detach().float().exp()), None if bias is None else float(bias.detach().float()))

    def scores(self, cosines: Numbers) -> Numbers:
        logits = cosines * np.float32(self.scale)
        if self.bias is None:
            return activated(logits, "softmax")
        return activated(logits + np.float32(self.bias), "sigmoid")


class LabelsHead:
    """Labels of the request's own, each in a sentence, beside pictures."""

    def __init__(self, texts: PlainTexts, pictures: Pictures, likeness: Likeness) -> None:
        self._texts = texts
        self._pictures = pictures
        self._likeness = likeness

    def prepare(self, work: Work) -> Rows:
        work = cast("LabelPictures", work)
        if not work.pictures:
            raise refused("There is nothing to look at: `input` is empty.", "input")
        if not work.labels:
            raise refused("There is nothing to compare pictures with: no labels.", "candidate_labels")
        if "{}" not in work.template:
            raise refused("`hypothesis_template` has no `{}` for the label.", "hypothesis_template")
        texts = self._texts.rows([work.template.replace("{}", label) for label in work.labels], input_type=None)
        self._texts.check(texts, "candidate_labels")
        numbers = range(len(work.pictures))
        return Rows.of([*self._pictures.rows(work.pictures, numbers, work.folder, field="input"), *texts])

    def read(self, _work: Work, _rows: Rows, _number: int, vector: Numbers) -> Numbers:
        return vector

    def value(self, work: Work, rows: Rows, kept: Sequence[Numbers]) -> tuple[tuple[Label, ...], ...]:
        work = cast("LabelPictures", work)
        vectors = np.stack([kept[place] for place in rows.places])
        pictures, labels = vectors[: len(work.pictures)], vectors[len(work.pictures) :]
        return tuple(ranked(work.labels, scores) for scores in self._likeness.scores(pictures @ labels.T).tolist())


def ranked(labels: Sequence[str], scores: Sequence[float]) -> tuple[Label, ...]:
    """Labels with their scores, the best one first."""
    places = sorted(range(len(labels)), key=lambda place: -scores[place])
    return tuple(Label(labels[place], scores[place]) for place in places)
