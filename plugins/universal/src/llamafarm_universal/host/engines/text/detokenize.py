"""Token ids to text, piece by piece, and never half a character."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Sequence

from llamafarm_universal.host.engines.text.vocabulary import Vocabulary

_INCOMPLETE = "\ufffd"  # what a decoder shows for bytes that are no whole character
_CONTEXT = 8  # tokens decoded again with each new one: leading spaces and joined characters depend on those before
_LONGEST = 4  # bytes of a character in UTF-8, at most
_Utf8 = getincrementaldecoder("utf-8")


class Detokenizer:
    """The text of one sequence.

    All that tokens add goes through one incremental decoder of UTF-8. Bytes come from the vocabulary where it knows
    them; the text of other tokens is what they add to the text of those before them. (The DecodeStream of `tokenizers`
    raises an error where byte tokens do not make up characters.)

    context: the tokens that the text goes on from, for answers that continue a text: a tokenizer may drop the space
    with which a text begins. hidden: tokens without text; by default all special ones.
    """

    def __init__(
        self, vocabulary: Vocabulary, context: Sequence[int] = (), hidden: frozenset[int] | None = None
    ) -> None:
        self._vocabulary = vocabulary
        self._hidden = vocabulary.special if hidden is None else hidden
        self._context = self._visible(context)
        self._pending: list[int] = []  # tokens whose text may still change
        self._shown = 0  # characters of the pending tokens' text that are out
        self._utf8 = _Utf8(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes; empty while it ends within a character."""
        if token in self._hidden:
            return ""
        data = self._fixed(token)
        if data is None:
            return self._utf8.decode(self._append(token).encode())
        self._remember([token])
        return self._utf8.decode(data)

    def flush(self) -> str:
        """The whole characters that are still held back at the end; one that is cut off there is left out."""
        held = self._added(self._pending)[self._shown :]
        self._pending, self._shown = [], 0
        return self._utf8.decode(held.encode()).rstrip(_INCOMPLETE)

    def bytes_of(self, token: int) -> bytes:
        """What a token would add here, in bytes: those of all tokens together are the text. A special one is its name.

        Where the vocabulary does not know the bytes, a character's are those of the token that completes it.
        """
        if token in self._vocabulary.special:
            return self._vocabulary.decode([token]).encode()
        data = self._fixed(token)
        return self._certain([*self._pending, token])[0][self._shown :].encode() if data is None else data

    def _fixed(self, token: int) -> bytes | None:
        """The bytes that a token adds whatever came before; None where that has to be tried.

        An ASCII byte that begins a text is tried, since it may be the space that is dropped there.
        """
        data = self._vocabulary.bytes_of(token)
        begins = not self._context and not self._vocabulary.byte_level
        return None if begins and data is not None and data.isascii() else data

    def _append(self, token: int) -> str:
        """What has become certain of the text with one more token."""
        self._pending.append(token)
        text, is_whole = self._certain(self._pending)
        out, self._shown = text[self._shown :], len(text)
        if is_whole:
            self._remember(self._pending)
            self._pending, self._shown = [], 0
        return out

    def _certain(self, tokens: list[int]) -> tuple[str, bool]:
        """What is certain of the text that tokens add, and whether that is all of it.

        Replacement characters at the end may be the beginning of a character whose bytes are not all there; not so
        where the vocabulary tells bytes apart from text: there it is what the model wrote.
        """
        text = self._added(tokens)
        if self._vocabulary.byte_fallback:
            return text, True
        uncertain = min(len(text) - len(text.rstrip(_INCOMPLETE)), _LONGEST - 1)
        return text[: len(text) - uncertain], not uncertain

    def _added(self, tokens: list[int]) -> str:
        """What tokens add to the text of the context."""
        return self._vocabulary.decode([*self._context, *tokens])[len(self._vocabulary.decode(self._context)) :]

    def _remember(self, tokens: Sequence[int]) -> None:
        self._context = self._visible([*self._context, *tokens])

    def _visible(self, tokens: Sequence[int]) -> list[int]:
        """The last tokens that have text: a context without any would be the beginning of a text."""
        return [token for token in tokens if token not in self._hidden][-_CONTEXT:]
