"""A model's tokenizer as llguidance reads it: the bytes that every token adds to a text, found out by trying."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from copy import copy
from itertools import groupby
from operator import attrgetter
from typing import Any

from llguidance import LLTokenizer, TokenizerWrapper

from llamafarm_universal.failure import RequestFailed
from llamafarm_universal.host.engines.text.vocabulary import Vocabulary, spelled_bytes

log = logging.getLogger(__name__)
_CHUNK = 256  # tokens that are decoded together; each is tried by itself where they do not give the expected text
_MOST_UNKNOWN = 0.05  # of the vocabulary: tokens that decode to something else, and are never allowed
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_WORD_END = "</w>"
_BEGINNING = "\x02"  # what no other token begins with: many tokenizers put a space before a text


def adapt(
    tokenizer: Any, vocabulary: Vocabulary, rows: int, end_tokens: frozenset[int], marks: frozenset[int] = frozenset()
) -> LLTokenizer:
    """A tokenizer of transformers as llguidance's, for a model with that many rows of logits.

    marks: tokens that come only where a grammar names them, as special ones do: no text is made of them.
    Raises RequestFailed (`not_supported`) where its tokens have no bytes of their own, as those of WordPiece, which
    puts spaces between them.
    """
    if not _is_fast(tokenizer):
        raise _refusal("This model comes without a tokenizer.json")
    names = tokenizer.convert_ids_to_tokens(list(range(rows)))
    special = sorted(token for token in vocabulary.special | marks if token < rows)
    spelled = _spell(names, vocabulary)
    for token in special:
        spelled[token] = str(names[token]).encode()
    ends = sorted(token for token in end_tokens if token < rows)
    # A model without an end token gets one that it has no logits for.
    tokens = _Tokens(tokenizer, spelled, special, ends[0] if ends else rows)
    try:
        adapted = LLTokenizer(tokens, n_vocab=rows if ends else rows + 1, eos_token=ends or [rows], slices=[])
        return adapted.with_slices(LLTokenizer.general_slices())  # by itself: other threads get a turn in between
    except Exception as error:
        log.warning("A tokenizer cannot be held to formats", exc_info=error)
        raise _refusal(f"This model's tokenizer cannot be read ({error})") from error


def _is_fast(tokenizer: Any) -> bool:
    """Whether it is one of the library `tokenizers`."""
    return bool(getattr(tokenizer, "is_fast", False))


class _Tokens(TokenizerWrapper):
    """What llguidance asks of a tokenizer, from several threads.

    tokens: the bytes of each; empty for those that no text is made of.
    """

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokenizer: Any, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        self._encoder = _without_limits(tokenizer.backend_tokenizer)
        self._before = self._encode(_BEGINNING)
        self.tokens = [*tokens, b""] if end == len(tokens) else tokens
        self.special_token_ids = special
        self.eos_token_id = end

    def __call__(self, text: str) -> list[int]:
        """The tokens that the tokenizer has for a text in the middle of another one; none where it cannot say."""
        tokens = self._encode(_BEGINNING + text)
        ids = tokens[len(self._before) :]
        is_exact = tokens[: len(self._before)] == self._before and b"".join(map(self._bytes, ids)) == text.encode()
        return ids if is_exact else []

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._encoder.encode(text, add_special_tokens=False).ids
        return ids

    def _bytes(self, token: int) -> bytes:
        return self.tokens[token] if token < len(self.tokens) else b""


def _without_limits(backend: Any) -> Any:
    """The same tokenizer, which nobody sets to cut or to pad texts meanwhile.

    A copy would take half a second, in which no other thread runs; the parts are shared instead where that is the same.
    """
    made = type(backend)(backend.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        if (value := getattr(backend, part)) is not None:
            setattr(made, part, value)
    made.encode_special_tokens = backend.encode_special_tokens
    added = backend.get_added_tokens_decoder()
    in_order = (token for _, token in sorted(added.items()))
    for is_special, tokens in groupby(in_order, key=attrgetter("special")):  # one by one, Gemma's 6,000 took seconds
        (made.add_special_tokens if is_special else made.add_tokens)(list(tokens))
    if made.get_added_tokens_decoder() != added:
        made = copy(backend)
        made.no_truncation()
        made.no_padding()
    return made


def _spell(names: Sequence[str | None], vocabulary: Vocabulary) -> list[bytes]:
    """The bytes of all tokens, by the first way to spell them that gives what the tokenizer decodes."""
    for spelling in [spelled_bytes] if vocabulary.byte_level else [_piece, _word]:
        spelled = [b"" if name is None else spelling(name) for name in names]
        wrong = _wrong(spelled, vocabulary)
        if len(wrong) <= _MOST_UNKNOWN * sum(map(bool, spelled)):
            return [b"" if token in wrong else data for token, data in enumerate(spelled)]
    raise _refusal("This model's tokenizer decodes tokens by those around them")


def _piece(name: str) -> bytes:
    """SentencePiece's: `▁` is a space, `<0xE2>` a byte."""
    if match := _BYTE_TOKEN.fullmatch(name):
        return bytes([int(match[1], 16)])
    return name.replace("▁", " ").encode()


def _word(name: str) -> bytes:
    """Those of tokenizers that mark where a word ends, as GPT's first."""
    return (name.removesuffix(_WORD_END) + " " if name.endswith(_WORD_END) else name).encode()


def _wrong(spelled: Sequence[bytes], vocabulary: Vocabulary) -> set[int]:
    """The tokens that do not decode to those bytes, special ones and parts of characters aside."""
    tried = [
        token
        for token, data in enumerate(spelled)
        if data and token not in vocabulary.special and (vocabulary.byte_level or vocabulary.bytes_of(token) is None)
    ]
    anchor = next((token for token in tried if len(spelled[token]) == 1 and spelled[token].isalpha()), None)
    if anchor is None:
        return set(tried)

    def decode(tokens: Sequence[int]) -> bool:
        expected = b"".join(spelled[token] for token in [anchor, *tokens, anchor])
        return vocabulary.decode([anchor, *tokens, anchor]) == expected.decode(errors="replace")

    chunks = [tried[start : start + _CHUNK] for start in range(0, len(tried), _CHUNK)]
    doubtful = [token for chunk in chunks if not decode(chunk) for token in chunk]
    return {token for token in doubtful if not decode([token])}


def _refusal(why: str) -> RequestFailed:
    return RequestFailed(
        "not_supported",
        f"{why}: its answers cannot be held to a format.",
        hint="Ask for a format in words and check the answer, or use a model with another tokenizer.",
    )
