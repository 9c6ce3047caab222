"""Whether a text supports a sentence, by what both say: a rule that computes in no time and can be told to a reader.

The measure is the share of the sentence's content words that the text has too, 0 to 1. Numbers and names must all be
in the text: a sentence with a number that is not there is not supported, whatever else it shares. Words are compared by
their stems, numbers by their value, and texts without blanks between words by pairs of letters. It knows no paraphrase:
a sentence that says the same in other words, or in another language than its source, is not supported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import regex
from bm25s import stopwords

SUPPORTED = 0.5
"""The least share of a sentence that its source supports."""
CLEAR = 0.8
"""The least share of a sentence that is attributed to a source although it has no mark."""
FEWEST_WORDS = 3
"""A sentence with fewer content words is attributed to nobody, and need not be."""
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’_.\-][\p{L}\p{M}\p{N}]+)*")
_NUMBER = regex.compile(r"(?<![\p{Latin}\p{N}])\d+(?:[.,\u202f\u00a0]\d+)*(?!\p{Latin})")
_GROUPED = regex.compile(r"\d{1,3}(?:[,\u202f\u00a0]\d{3})+(?:\.\d+)?")
_NAME = regex.compile(
    r"(?<=[\p{L}\p{N},;:–—)] )\p{Lu}[\p{L}\p{M}\p{N}]+|\b\p{Lu}[\p{Lu}\p{N}]+\b"
    r"|(?<!\p{L})[\p{Latin}\p{Greek}\p{Cyrillic}]+\p{N}[\p{L}\p{N}]*\b"
)
_WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]+")
_ENDINGS = ("ingly", "ing", "edly", "ed", "ies", "es", "s", "ly")
_LIST_MARK = regex.compile(r"^\s*(?:[*#>-]+|\d{1,3}[.)])\s+")
_STOP_WORDS = frozenset(
    {"according", "based", "document", "documents", "says", "said", "source", "sources", "stated", "states"}.union(
        stopwords.STOPWORDS_EN_PLUS,
        stopwords.STOPWORDS_DANISH,
        stopwords.STOPWORDS_DUTCH,
        stopwords.STOPWORDS_FRENCH,
        stopwords.STOPWORDS_GERMAN,
        stopwords.STOPWORDS_ITALIAN,
        stopwords.STOPWORDS_NORWEGIAN,
        stopwords.STOPWORDS_PORTUGUESE,
        stopwords.STOPWORDS_RUSSIAN,
        stopwords.STOPWORDS_SPANISH,
        stopwords.STOPWORDS_SWEDISH,
        stopwords.STOPWORDS_TURKISH,
    )
)


@dataclass(frozen=True)
class Support:
    """How well a text supports a sentence. share: 0 to 1. missing: numbers and names that it does not have."""

    share: float
    words: int
    missing: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether the sentence counts as supported."""
        return self.share >= SUPPORTED and not self.missing

    @property
    def is_clear(self) -> bool:
        """Whether the sentence can be attributed to the text."""
        return self.share >= CLEAR and not self.missing and self.words >= FEWEST_WORDS


def support(sentence: str, text: str) -> Support:
    """How well a text supports a sentence; a sentence without content words needs no support."""
    sentence = _LIST_MARK.sub("", sentence)
    there = _known(text)
    words = _words(sentence)
    numbers, names = _numbers(sentence), _names(sentence)
    lacking = [number for number in numbers if number not in there.numbers]
    lacking += [name for name in names if _stem(name.casefold()) not in there.words]
    share = len(words & there.words) / len(words) if words else float(not lacking)
    return Support(share, len(words), tuple(dict.fromkeys(lacking)))


def content_words(sentence: str) -> int:
    """How many words of a sentence say something."""
    return len(_words(_LIST_MARK.sub("", sentence)))


@dataclass(frozen=True)
class _Known:
    words: frozenset[str]
    numbers: frozenset[str]


@lru_cache(maxsize=512)
def _known(text: str) -> _Known:
    return _Known(_words(text), frozenset(_numbers(text)))


def _words(text: str) -> frozenset[str]:
    """Content words, by their stems; a word of several parts counts as them and as a whole."""
    words: set[str] = set()
    for found in _WORD.findall(text):
        word = found.casefold()
        for part in {word, *regex.split(r"['’_.\-]", word)}:
            if wide := _WIDE.findall(part):
                words.update(pair for run in wide for pair in _pairs(run))
            elif len(part) > 1 and part not in _STOP_WORDS and not part.isdigit():
                words.add(_stem(part))
    return frozenset(words)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def _numbers(text: str) -> list[str]:
    return [_value(found) for found in _NUMBER.findall(text)]


def _value(number: str) -> str:
    """`1,024` and `1024` are one number, `3.50` and `3.5` too."""
    if _GROUPED.fullmatch(number):
        number = regex.sub(r"[,\u202f\u00a0]", "", number)
    return number.rstrip("0").rstrip(".") if "." in number else number.lstrip("0") or "0"


def _names(text: str) -> list[str]:
    """What is written like a name: a capital inside of a sentence, capitals only, letters with digits."""
    return [name for name in _NAME.findall(text) if name.casefold() not in _STOP_WORDS]


def _stem(word: str) -> str:
    if not word.isascii():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word
