"""Where a text may be cut: between sentences, else between words, else between letters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import regex

Span = tuple[int, int]
"""Start and end of a part of a text, in characters, without white space at its edges."""

_SENTENCE_END = regex.compile(
    r"""
    (?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s)          # a stop with a space behind it
    | [。！？｡؟۔।॥]++[」』”’）】]*+                    # stops that are written without one
    | \n(?=[^\S\n]*(?:\n|[-*+•–]\s|\d{1,3}[.)]\s|[|>\#]))  # the end of a paragraph, or of an item of a list
    """,
    regex.VERBOSE,
)
_LINE_END = regex.compile(r"\n")
_WORD = regex.compile(r"\S+")
_LETTER = regex.compile(r"\X")
"""What a reader takes for one letter, whatever it is combined from."""
_WORD_BEFORE = regex.compile(r"[^\W_]+(?:\.[^\W_]+)*$")
_ABBREVIATION_LENGTH = 8
_ABBREVIATIONS = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "cf", "nos", "fig", "figs", "vol", "pp", "approx", "ca",
    "inc", "ltd", "co", "corp", "dept", "est", "e.g", "i.e", "a.m", "p.m", "u.s", "z.b", "d.h", "u.a", "bzw", "usw",
    "vgl", "nr", "abb", "bd", "str", "hr", "fr", "mme", "mlle", "p.ex",
})  # fmt: skip


def sentences(text: str, start: int, end: int) -> list[Span]:
    """The sentences of a part of a text. Together they hold everything in it that is no white space."""
    cuts = [match.end() for match in _SENTENCE_END.finditer(text, start, end) if _is_end(text, match, start, end)]
    return list(_spans(text, start, cuts, end))


def lines(text: str, start: int, end: int) -> list[Span]:
    """Its lines, without those that are empty. The indentation of a line belongs to it; `\\n` does not."""
    cuts = [start, *(match.end() for match in _LINE_END.finditer(text, start, end)), end]
    bounds = ((first, first + len(text[first:last].rstrip())) for first, last in pairwise(cuts))
    return [(first, last) for first, last in bounds if text[first:last].strip()]


def words(text: str, start: int, end: int) -> list[Span]:
    """What stands between white space."""
    return [match.span() for match in _WORD.finditer(text, start, end)]


def letter_groups(text: str, start: int, end: int, groups: int) -> list[Span]:
    """A part of a text in about so many parts of as many letters each, and in two at least.

    A letter with its accents stays whole; only where there is nothing else, the letter itself is cut. A single
    character stays what it is.
    """
    bounds = [match.start() for match in _LETTER.finditer(text, start, end)]
    if len(bounds) < 2:
        bounds = list(range(start, end))
    step = max(1, min(len(bounds) // 2, -(-len(bounds) // max(groups, 2))))
    cuts = bounds[step::step]
    return [(first, last) for first, last in pairwise([start, *cuts, end]) if first < last]


def _is_end(text: str, match: regex.Match[str], start: int, end: int) -> bool:
    """Whether a sentence ends here; the point of an abbreviation ends none."""
    if text[match.start()] != "." or match.end() - match.start() > 1:
        return True
    following = text[match.end() : min(end, match.end() + 40)].lstrip()
    if following[:1].islower():
        return False
    before = _WORD_BEFORE.search(text, max(start, match.start() - _ABBREVIATION_LENGTH), match.start())
    word = before.group() if before else ""
    return word.casefold() not in _ABBREVIATIONS and not (len(word) == 1 and word.isupper())


def _spans(text: str, start: int, cuts: list[int], end: int) -> Iterator[Span]:
    for first, last in pairwise([start, *cuts, end]):
        part = text[first:last]
        if stripped := part.strip():
            begin = first + len(part) - len(part.lstrip())
            yield begin, begin + len(stripped)
