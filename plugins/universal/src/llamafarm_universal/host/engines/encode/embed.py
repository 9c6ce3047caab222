"""Vectors of texts and pictures, and how well two vectors fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

import numpy as np

from llamafarm_universal.engine import Blob, Embed, InputType, Score, Scores, SpoolFolder, Work, refused
from llamafarm_universal.host.engines.encode.base import Numbers
from llamafarm_universal.host.engines.encode.rows import Row, Rows


class Texts(Protocol):
    """How an embedding model makes rows of texts. check: raises RequestFailed for a row that it cannot take."""

    def rows(self, texts: Sequence[str], *, input_type: InputType | None) -> list[Row]: ...

    def check(self, rows: Sequence[Row], field: str) -> None: ...


class Pictures(Protocol):
    """How an embedding model makes rows of pictures, in `folder`. numbers: of the inputs that they are.

    Raises RequestFailed.
    """

    def rows(
        self, pictures: Sequence[Blob], numbers: Sequence[int], folder: SpoolFolder, *, field: str
    ) -> list[Row]: ...


class EmbedHead:
    """The vectors themselves. Token ids are taken as they are: no special tokens are added to them.

    pictures: None for a model that reads texts only.
    """

    def __init__(self, texts: Texts, dimensions: int, pictures: Pictures | None = None) -> None:
        self._texts = texts
        self._dimensions = dimensions
        self._pictures = pictures

    def prepare(self, work: Work) -> Rows:
        work = cast("Embed", work)
        self._check_dimensions(work.dimensions)
        if not work.inputs:
            raise refused("There is nothing to embed: `input` is empty.", "input")
        texts = [item for item in work.inputs if isinstance(item, str)]
        rows_by_type: Mapping[type, Iterator[Row]] = {
            str: iter(self._texts.rows(texts, input_type=work.input_type)),  # all texts in one call
            tuple: (Row(item) for item in work.inputs if isinstance(item, tuple)),
            Blob: iter(self._picture_rows(work)),
        }
        rows = [next(rows_by_type[type(item)]) for item in work.inputs]
        self._texts.check(rows, "input")
        return Rows.of(rows)

    def read(self, work: Work, _rows: Rows, _number: int, numbers: Numbers) -> bytes:
        kept = _cut(numbers, cast("Embed", work).dimensions)
        return kept.astype("<f4").tobytes()

    def value(self, _work: Work, rows: Rows, kept: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(kept[place] for place in rows.places)

    def _picture_rows(self, work: Embed) -> list[Row]:
        found = {number: item for number, item in enumerate(work.inputs) if isinstance(item, Blob)}
        if not found:
            return []
        if self._pictures is None:
            raise refused(
                f"Input {min(found)} is a picture; this model reads texts only.",
                "input",
                hint="Use a model that has pictures and texts in one space, such as CLIP or SigLIP.",
            )
        assert work.folder is not None, "pictures come with the folder of their request"
        return self._pictures.rows([*found.values()], [*found], work.folder, field="input")

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
        rows = self._texts.rows(distinct, input_type=input_type)
        self._texts.check(rows, "input")
        row_of = dict(zip(distinct, rows, strict=True))
        return [row_of[text] for text in texts]


def _cut(vector: Numbers, dimensions: int | None) -> Numbers:
    """The first `dimensions` numbers, at length 1 again."""
    if dimensions is None or dimensions == len(vector):
        return vector
    kept = vector[:dimensions]
    return kept / np.float32(max(float(np.linalg.norm(kept)), 1e-12))
