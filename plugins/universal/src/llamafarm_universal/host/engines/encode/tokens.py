"""From texts to rows: the tokenizer of a transformers model, used by several threads at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llamafarm_universal.host.engines.encode.rows import Row, check_rows
from llamafarm_universal.host.engines.token_counts import TokenCounts

_WHOLE = {"padding": False, "truncation": False, "verbose": False}
"""Texts are never cut; `verbose` would warn of those that the model cannot take, which are refused."""


class Tokens:
    """limit: tokens that the model can take, special ones included; None: no limit. typed: whether it reads types."""

    def __init__(self, tokenizer: Any, limit: int | None, vocabulary: int, *, typed: bool = False) -> None:
        self.counts = TokenCounts(tokenizer)  # texts are cut by nothing now: no thread's call has to change that
        self.tokenizer = tokenizer
        self.limit = limit
        self._vocabulary = vocabulary
        self._typed = typed

    def rows(self, first: Sequence[str], second: Sequence[str] | None = None, *, field: str) -> list[Row]:
        """Rows of texts, or of pairs of texts. field: of the request, from which they came. Raises RequestFailed."""
        if not first:
            return []
        return self.rows_of(self.encoded(first, second), field=field)

    def encoded(self, first: Sequence[str], second: Sequence[str] | None = None, **more: bool) -> Any:
        """What the tokenizer says of texts, or of pairs of them, one at least. more: what it says beside the ids."""
        return self.tokenizer(list(first), None if second is None else list(second), **_WHOLE, **more)

    def rows_of(self, encoded: Any, *, field: str) -> list[Row]:
        """The rows in what the tokenizer said. Raises RequestFailed."""
        rows = self.unchecked(encoded)
        self.check(rows, field)
        return rows

    def unchecked(self, encoded: Any) -> list[Row]:
        """The same, where they are checked later, together with other rows of their request."""
        types = encoded.get("token_type_ids") if self._typed else None
        return [Row(tuple(ids), _types(types[at]) if types else ()) for at, ids in enumerate(encoded["input_ids"])]

    def check(self, rows: Sequence[Row], field: str) -> None:
        """Raise RequestFailed for a row that the model cannot take."""
        check_rows(rows, self.limit, self._vocabulary, field)


def _types(types: Sequence[int]) -> tuple[int, ...]:
    """Nothing where all are 0: that is what a model takes for granted."""
    return tuple(types) if any(types) else ()
