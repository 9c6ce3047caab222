"""How many tokens texts have: all texts of a request at once, and the model does not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class TokenCounts:
    """Those of one tokenizer of transformers, which several threads ask."""

    def __init__(self, tokenizer: Any) -> None:
        if tokenizer.is_fast:  # a file may say that texts are cut: they are counted whole
            tokenizer.backend_tokenizer.no_truncation()
            tokenizer.backend_tokenizer.no_padding()
        self._tokenizer = tokenizer

    def of(self, texts: Sequence[str]) -> tuple[int, ...]:
        """The tokens of each text, without the special ones that are put around it; an empty text has none."""
        if self._tokenizer.is_fast:  # counted where they are made: as lists of Python they take twice the time
            encoded = self._tokenizer.backend_tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
            return tuple(map(len, encoded))
        return tuple(len(self._tokenizer.encode(text, add_special_tokens=False, verbose=False)) for text in texts)
