"""Classes by the centre that lies nearest, as an embedding model sees texts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import mul

from llamafarm.wire import EMBEDDINGS

from llamafarm_agents.classifier.options import ClassifierOptions, LabelOptions
from llamafarm_agents.classifier.question import Question
from llamafarm_agents.classifier.result import ManyLabels, OneLabel, Result

Vector = list[float]
BATCH = 64
"""Most texts of one request."""
WEIGHT = 3
"""A description counts as so many examples: it is said of the whole class."""
TEMPERATURE = 0.05
"""What similarities are divided by before they become scores, by softmax.

Of 0.02, 0.05, 0.1 and 0.2 it gives the least log loss, however many examples there are (benchmarks/classifier.py).
"""


class Nearest:
    """Compares a text with the centre of each class: the mean of its description and its examples.

    With few examples the centre is right more often than the nearest examples are (benchmarks/classifier.py). The
    centres are made at the first use and kept.
    """

    def __init__(self, options: ClassifierOptions) -> None:
        self._options = options
        self._classes = options.classes
        self._centres: dict[str, Vector] = {}
        self._making = asyncio.Lock()

    async def classify(self, question: Question) -> Result:
        """Raises what asking raises."""
        centres = await self._made(question)
        [vector] = await _vectors(question, [question.text])
        near = {label: sum(map(mul, centre, vector)) for label, centre in centres.items()}
        if not self._options.multi_label:
            scores = _softmax(near)
            return OneLabel(max(scores, key=scores.__getitem__), scores)
        alike = {label: min(max(cosine, 0.0), 1.0) for label, cosine in near.items()}
        return ManyLabels([label for label, score in alike.items() if score >= self._options.threshold], alike)

    async def _made(self, question: Question) -> dict[str, Vector]:
        """The centre of each class. Turns that come meanwhile wait; where it fails, the next one tries again."""
        async with self._making:
            if not self._centres:
                texts = {label: weighed(label, options) for label, options in self._classes.items()}
                vectors = iter(await _vectors(question, [*chain.from_iterable(texts.values())]))
                self._centres = {label: _centre(own.values(), vectors) for label, own in texts.items()}
        return self._centres


def weighed(label: str, options: LabelOptions) -> dict[str, int]:
    """The texts whose centre stands for a class, and how much each counts."""
    described = {f"{label}: {options.description}": WEIGHT} if options.description else {}
    return {**dict.fromkeys(options.examples, 1), **described}


async def _vectors(question: Question, texts: Sequence[str]) -> list[Vector]:
    """A vector of length 1 for each text, in their order."""
    vectors: list[Vector] = []
    for batch in _batches(texts):
        answer = await question.ask(EMBEDDINGS, {"input": batch})
        rows = sorted(answer["data"], key=lambda row: row["index"])
        vectors += [_unit(row["embedding"]) for row in rows]
    return vectors


def _batches(texts: Sequence[str]) -> Iterable[list[str]]:
    return (list(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH))


def _centre(weights: Iterable[int], vectors: Iterator[Vector]) -> Vector:
    """The direction of the sum of as many vectors as there are weights."""
    rows = [[weight * value for value in vector] for weight, vector in zip(weights, vectors, strict=False)]
    return _unit([sum(column) for column in zip(*rows, strict=True)])


def _unit(vector: Sequence[float]) -> Vector:
    length = math.hypot(*vector)
    return [value / length for value in vector] if length else [0.0] * len(vector)


def _softmax(near: dict[str, float]) -> dict[str, float]:
    highest = max(near.values())
    powers = {label: math.exp((cosine - highest) / TEMPERATURE) for label, cosine in near.items()}
    total = sum(powers.values())
    return {label: power / total for label, power in powers.items()}
