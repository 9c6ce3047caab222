"""What an encoder reads: rows of tokens, and pictures, each distinct one once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llamafarm_universal.engine import Blob, RequestFailed, refused


@dataclass(frozen=True)
class Stored:
    """An array of numbers, which may lie in a file: many that wait for their turn take no memory."""

    shape: tuple[int, ...]
    dtype: str
    blob: Blob

    def read(self) -> NDArray[Any]:
        return np.frombuffer(self.blob.read(), self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Pixels:
    """A picture, as the image processor of a model makes it.

    digest: of the picture's bytes, by which equal ones are known. patches: into how many parts the model cuts it.
    size: height and width that the picture had before. arrays: by the names of the model's arguments.
    """

    digest: bytes
    patches: int
    size: tuple[int, int]
    arrays: Mapping[str, Stored] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Row:
    """One input of the model: tokens, or a picture.

    ids: its tokens, special ones included. types: which of two texts each token is of, where the tokenizer says so.
    prompt: how many tokens of the author's prompt it begins with. pixels: the picture, in the place of tokens; asked:
    what is asked about it, which has to be the same for all that are read together.
    """

    ids: tuple[int, ...] = ()
    types: tuple[int, ...] = ()
    prompt: int = 0
    pixels: Pixels | None = None
    asked: Hashable = None

    def __len__(self) -> int:
        return len(self.ids) if self.pixels is None else self.pixels.patches

    @property
    def kind(self) -> Hashable:
        """What can be read together: all texts; and pictures whose arrays have the same shapes, asked the same."""
        if self.pixels is None:
            return "text"
        return self.asked, tuple((name, array.shape) for name, array in self.pixels.arrays.items())


@dataclass(frozen=True)
class Rows:
    """The rows of one work. places: for each input the number of its row. details: of each row, for whoever reads it.

    Equal inputs share a row, so that they get the same numbers to the last bit. Rows are told apart by their number
    from here on: hashing the tokens of a long one takes a while.
    """

    distinct: tuple[Row, ...]
    places: tuple[int, ...]
    details: tuple[Any, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Rows:
        numbers: dict[Row, int] = {}
        places = tuple(numbers.setdefault(row, len(numbers)) for row in rows)
        return cls(tuple(numbers), places)

    @property
    def tokens(self) -> int:
        """Of all inputs together, and patches of pictures; equal ones count as often as they were sent."""
        return sum(len(self.distinct[place]) for place in self.places)


def check_rows(rows: Sequence[Row], limit: int | None, vocabulary: int, field: str) -> None:
    """Raise RequestFailed for a row that is empty, too long, or of tokens that the model does not have.

    Pictures are none of its concern. limit: tokens that the model can take. field: of the request, from which the rows
    came.
    """
    for index, row in enumerate(rows):
        if row.pixels is not None:
            continue
        if not row.ids:
            raise refused(f"Input {index} is empty: it has no tokens.", field)
        if limit is not None and len(row) > limit:
            raise RequestFailed(
                "context_length",
                f"Input {index} has {len(row):,} tokens; the model can take {limit:,}.",
                hint="Split the text into shorter parts: cutting it silently would lose its end.",
                param=field,
            )
        if not 0 <= min(row.ids) <= max(row.ids) < vocabulary:
            last = vocabulary - 1
            raise refused(f"Input {index} has a token that does not exist: this model's are 0 to {last}.", field)
