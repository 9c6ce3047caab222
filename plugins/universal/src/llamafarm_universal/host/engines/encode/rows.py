"""What an encoder reads: rows of tokens, each distinct one once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llamafarm_universal.engine import RequestFailed, refused


@dataclass(frozen=True)
class Row:
    """One input of the model.

    ids: its tokens, special ones included. types: which of two texts each token is of, where the tokenizer says so.
    prompt: how many tokens of the author's prompt it begins with.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...] = ()
    prompt: int = 0

    def __len__(self) -> int:
        return len(self.ids)


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
        """Of all inputs together; equal ones count as often as they were sent."""
        return sum(len(self.distinct[place]) for place in self.places)


def check_rows(rows: Sequence[Row], limit: int | None, vocabulary: int, field: str) -> None:
    """Raise RequestFailed for a row that is empty, too long, or of tokens that the model does not have.

    limit: tokens that the model can take. field: of the request, from which the rows came.
    """
    for index, row in enumerate(rows):
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
