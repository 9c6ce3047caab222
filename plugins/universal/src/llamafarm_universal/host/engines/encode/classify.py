"""What the logits of a sequence classifier mean: scores of pairs, classes of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from llamafarm_universal.engine import Classes, Classify, Score, Scores, Work, refused
from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.rows import Rows
from llamafarm_universal.host.engines.encode.tokens import Tokens

Activation = Literal["softmax", "sigmoid", "none"]


class PairScoreHead:
    """A cross-encoder: it reads both texts of a pair together. activation: what makes a score of its one logit."""

    def __init__(self, tokens: Tokens, activation: Activation) -> None:
        self._tokens = tokens
        self._activation = activation

    def prepare(self, work: Work) -> Rows:
        first, second = zip(*cast("Score", work).pairs, strict=True) if cast("Score", work).pairs else ((), ())
        return Rows.of(self._tokens.rows(first, second, field="documents"))

    def read(self, _work: Work, _rows: Rows, _number: int, numbers: Numbers) -> float:
        return float(activated(numbers, self._activation)[0])

    def value(self, _work: Work, rows: Rows, kept: Sequence[float]) -> Scores:
        return Scores(tuple(kept[place] for place in rows.places), "cross-encoder")


class ClassifyHead:
    """The model's own classes; or labels of the request's, where the model says whether one text follows from another.

    labels: of the model's classes, in their order. activation: what makes probabilities of their logits.
    """

    def __init__(self, tokens: Tokens, labels: tuple[str, ...], activation: Activation) -> None:
        self._tokens = tokens
        self._labels = labels
        self._activation = activation
        self._entails = next((at for at, label in enumerate(labels) if label.lower().startswith("entail")), None)

    def prepare(self, work: Work) -> Rows:
        work = cast("Classify", work)
        if not work.labels:
            return Rows.of(self._tokens.rows(work.inputs, field="input"))
        self._check_labels(work)
        hypotheses = [work.template.replace("{}", label) for label in work.labels]
        pairs = [(text, hypothesis) for text in work.inputs for hypothesis in hypotheses]
        first, second = zip(*pairs, strict=True) if pairs else ((), ())
        return Rows.of(self._tokens.rows(first, second, field="input"))

    def read(self, work: Work, _rows: Rows, _number: int, numbers: Numbers) -> Numbers:
        work = cast("Classify", work)
        return activated(numbers, self._activation) if work.activation and not work.labels else numbers

    def value(self, work: Work, rows: Rows, kept: Sequence[Numbers]) -> Classes:
        work = cast("Classify", work)
        numbers = np.stack([kept[place] for place in rows.places])
        if not work.labels:
            return Classes(self._labels, _tuples(numbers))
        logits = numbers.reshape(len(work.inputs), len(work.labels), -1)
        return Classes(work.labels, _tuples(self._entailed(logits, work)))

    def _entailed(self, logits: Numbers, work: Classify) -> Numbers:
        """[texts, labels, classes] to [texts, labels].

        One label, and each that is judged by itself, is weighed against its own contradiction; else labels are weighed
        against each other. Source: transformers' zero-shot classification pipeline.
        """
        assert self._entails is not None
        if not work.activation:
            return logits[..., self._entails]
        if work.multi_label or len(work.labels) == 1:
            against = -1 if self._entails == 0 else 0
            return activated(logits[..., [against, self._entails]], "softmax")[..., 1]
        return activated(logits[..., self._entails], "softmax")

    def _check_labels(self, work: Classify) -> None:
        if self._entails is None:
            raise refused(
                f"This model has classes of its own ({_listed(self._labels)}) and cannot judge others.",
                "candidate_labels",
                hint="Labels of your own need a model for natural language inference, with a class `entailment`.",
            )
        if "{}" not in work.template:
            raise refused("`hypothesis_template` has no `{}` for the label.", "hypothesis_template")


def activated(logits: Numbers, activation: Activation) -> Numbers:
    """Probabilities of logits, along the last axis."""
    if activation == "sigmoid":
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits), np.float32)
    if activation == "softmax":
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)
    return logits


def _tuples(numbers: Numbers) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, numbers.tolist()))


def _listed(labels: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(labels[:most]) + (", …" if len(labels) > most else "")
