"""Vectors of texts, and how well two vectors fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from llamafarm_universal.engine import Embed, InputType, Score, Scores, Work, refused
from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.rows import Row, Rows


class Texts(Protocol):
    """How an embedding model makes rows of texts."""

    def rows(self, texts: Sequence[str], *, input_type: InputType | None, field: str) -> list[Row]: ...

    def ids(self, inputs: Sequence[Sequence[int]], *, field: str) -> list[Row]: ...


class EmbedHead:
    """The vectors themselves. Token ids are taken as they are: no special tokens are added to them."""

    def __init__(self, texts: Texts, dimensions: int) -> None:
        self._texts = texts
        self._dimensions = dimensions

    def prepare(self, work: Work) -> Rows:
        work = cast("Embed", work)
        self._check_dimensions(work.dimensions)
        if not work.inputs:
            raise refused("There is nothing to embed: `input` is empty.", "input")
        texts = [item for item in work.inputs if isinstance(item, str)]
        by_text = iter(self._texts.rows(texts, input_type=work.input_type, field="input"))  # all texts in one call
        by_ids = iter(self._texts.ids([item for item in work.inputs if not isinstance(item, str)], field="input"))
        return Rows.of(next(by_text) if isinstance(item, str) else next(by_ids) for item in work.inputs)

    def read(self, work: Work, _rows: Rows, _number: int, numbers: Numbers) -> bytes:
        kept = _cut(numbers, cast("Embed", work).dimensions)
        return kept.astype("<f4").tobytes()

    def value(self, _work: Work, rows: Rows, kept: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(kept[place] for place in rows.places)

    def _check_dimensions(self, dimensions: int | None) -> None:
        if dimensions is not None and not 1 <= dimensions <= self._dimensions:
            raise refused(f"`dimensions` is {dimensions}; this model's vectors have {self._dimensions}.", "dimensions")


class VectorScoreHead:
    """The cosine of the vectors of a query and a document: what is left to do without a model that reads both."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def prepare(self, work: Work) -> Rows:
        queries, documents = zip(*cast("Score", work).pairs, strict=True) if cast("Score", work).pairs else ((), ())
        return Rows.of([*self._rows(queries, "query"), *self._rows(documents, "document")])

    def read(self, _work: Work, _rows: Rows, _number: int, numbers: Numbers) -> Numbers:
        return numbers / np.float32(np.linalg.norm(numbers))

    def value(self, work: Work, rows: Rows, kept: Sequence[Numbers]) -> Scores:
        count = len(cast("Score", work).pairs)
        pairs = zip(rows.places[:count], rows.places[count:], strict=True)
        return Scores(tuple(float(kept[query] @ kept[document]) for query, document in pairs), "bi-encoder")

    def _rows(self, texts: Sequence[str], input_type: InputType) -> list[Row]:
        """A row for each text; one that comes again, as a query does, is tokenized once."""
        distinct = list(dict.fromkeys(texts))
        rows = dict(zip(distinct, self._texts.rows(distinct, input_type=input_type, field="input"), strict=True))
        return [rows[text] for text in texts]


def _cut(vector: Numbers, dimensions: int | None) -> Numbers:
    """The first `dimensions` numbers, at length 1 again."""
    if dimensions is None or dimensions == len(vector):
        return vector
    kept = vector[:dimensions]
    return kept / np.float32(max(float(np.linalg.norm(kept)), 1e-12))
