"""Whether an answer has the words that it should have."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+")
"""Numbers stay whole, and lose what stands beside them: `41,250 euros`, `38°C`."""


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, in their order; large and small letters are the same."""
    return _WORD.findall(text.casefold())


def has_key_words(answer: str, alternatives: Iterable[str]) -> bool:
    """Whether an answer has all words of any of the alternatives, in any order."""
    there = {*words_of(answer)}
    wanted = [words_of(each) for each in alternatives]
    return any(words and there.issuperset(words) for words in wanted)
