"""Texts as words, in any language, for a search by words."""

from __future__ import annotations

import re
import threading
import unicodedata

import Stemmer

UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f"  # Thai, Lao, Khmer, Burmese
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Japanese, Chinese
)
"""Letters of scripts that put no spaces between words."""
_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"(?<![^\W_])[^\W_]++(?:[-_./:][^\W_]++)+")  # tried where words begin, and there once
_RUNS = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")
_HAS_UNSPACED = re.compile(f"[{UNSPACED}]")
_of_thread = threading.local()


def words(text: str) -> list[str]:
    """The words of a text, in their order, and behind them its codes.

    They are folded, so that neither case nor the width of letters tells two apart, and without the endings of English
    words, so that `cows` are found by `cow`; words of other languages lose the same endings in texts and in questions.
    Scripts without spaces give each pair of neighbouring letters, and a letter that stands alone. A code or number of
    several parts (`HV-88213-C`, `3.5`, `2024-10-08`) is a word beside its parts, which alone say little.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = _WORD.findall(folded)
    if _HAS_UNSPACED.search(text):
        found = [part for word in found for run in _RUNS.findall(word) for part in _parts(run)]
    codes = [joined for joined in _JOINED.findall(folded) if any(letter.isdigit() for letter in joined)]
    return [*_stemmer().stemWords(found), *codes]


def _stemmer() -> Stemmer.Stemmer:
    """This thread's own, which remembers words: it must not be used by two at a time."""
    if not hasattr(_of_thread, "stemmer"):
        _of_thread.stemmer = Stemmer.Stemmer("english")
    stemmer: Stemmer.Stemmer = _of_thread.stemmer
    return stemmer


def _parts(run: str) -> list[str]:
    if len(run) < 2 or not _HAS_UNSPACED.match(run):
        return [run]
    return [run[start : start + 2] for start in range(len(run) - 1)]
