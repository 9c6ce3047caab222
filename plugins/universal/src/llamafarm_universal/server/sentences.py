"""A text cut into what is spoken at one go."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 250
"""Characters: so that the first sound comes soon, and no step of the model takes long."""
_LOOKED_BACK = 20
"""Characters: more than the longest abbreviation has, so that many of them take no longer each."""
_BLANKS = re.compile(r"[^\S\n]+")
_CLOSING = "\"'”’」』）)\\]»"
_WIDE_END = "。！？；"
_END = re.compile(
    rf"(?<=[.!?…:;؟؛۔।॥])[{_CLOSING}]*\s+"
    rf"|(?<=[{_WIDE_END}])(?![{_WIDE_END}{_CLOSING}])"
    rf"|(?<=[{_WIDE_END}][{_CLOSING}])(?![{_WIDE_END}{_CLOSING}])"
    r"|\n+"
)
"""Behind the end of a sentence: with a gap, but in the scripts that have none."""
_PAUSE = re.compile(r"(?<=[,،])\s*|(?<=[、，])|\s+[–—-]\s+")
_GOES_ON = re.compile(r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|approx|(?:[^\W\d_]\.)*[^\W\d_]|\d{1,3})\.$")
"""Behind abbreviations, initials and the numbers of a list, a sentence goes on."""


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text; a long one is cut at its commas, and where it has none, between words."""
    lines = _BLANKS.sub(" ", text).split("\n")
    return tuple(piece for line in lines for part in _whole(_parts(_END, line)) for piece in _pieces(part))


def _parts(mark: re.Pattern[str], text: str) -> list[str]:
    return [part.strip() for part in mark.split(text) if part and part.strip()]


def _whole(parts: Iterable[str]) -> list[str]:
    """The parts, those put together again that an abbreviation has cut."""
    whole: list[str] = []
    for part in parts:
        if whole and _GOES_ON.search(whole[-1][-_LOOKED_BACK:]):
            whole[-1] += f" {part}"
        else:
            whole.append(part)
    return whole


def _pieces(sentence: str) -> list[str]:
    """A sentence that is not too long, or as many of its clauses together as are not."""
    if len(sentence) <= LONGEST:
        return [sentence]
    pieces: list[str] = []
    for clause in _parts(_PAUSE, sentence):
        if pieces and len(pieces[-1]) + len(clause) < LONGEST:
            gap = "" if pieces[-1][-1] in "、，" else " "
            pieces[-1] += gap + clause
        else:
            pieces += _by_words(clause)
    return pieces


def _by_words(clause: str) -> list[str]:
    pieces: list[str] = []
    while len(clause) > LONGEST:
        cut = clause.rfind(" ", 1, LONGEST + 1)
        cut = cut if cut > 0 else LONGEST
        pieces.append(clause[:cut].strip())
        clause = clause[cut:].strip()
    return [*pieces, clause] if clause else pieces
