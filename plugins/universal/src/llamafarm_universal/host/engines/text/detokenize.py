"""Token ids to text, piece by piece, and never half a character."""

from __future__ import annotations

from typing import Any

_INCOMPLETE = "\ufffd"  # what a decoder shows for bytes that are no whole character
_CONTEXT = 8  # tokens decoded again with each new one: leading spaces and joined characters depend on those before


class Detokenizer:
    """The text of one sequence. tokenizer: a transformers tokenizer; its special tokens are left out."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []  # the context, then those whose text is not out yet
        self._settled = 0  # how many of them are context

    def push(self, token: int) -> str:
        """The text that this token completes; empty while it ends within a character."""
        self._ids.append(token)
        text = self._pending()
        if text.endswith(_INCOMPLETE):
            return ""
        self._ids = self._ids[-_CONTEXT:]
        self._settled = len(self._ids)
        return text

    def flush(self) -> str:
        """The whole characters that are still held back at the end."""
        text = self._pending().rstrip(_INCOMPLETE)
        self._settled = len(self._ids)
        return text

    def _pending(self) -> str:
        return self._decode(self._ids)[len(self._decode(self._ids[: self._settled])) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
