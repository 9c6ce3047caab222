r"""Marks in a text, read while the text comes: `[1]` says that what stands before it is from source 1.

These are marks, as models write them: `[1]`, `[1, 2]`, `[1-3]`, `[^1]`, `[[1]]`, `[source 1]`, `【1】`,
`【1†a.md】` and `［1］`; `[1][2]` are two. Digits of every script count. These are none: `[x]`, links like `[1](url)`,
the interval `[0, 1]`, `\[1\]` of formulas, `a[1]`, `rows.list[1]` and `rows[0]`, which index something, `(1)`, which
counts or dates, and whatever stands in code. Behind a whole word a mark needs no blank: `as the guide says[1]`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Literal

import regex

from llamafarm_rag.answering.code_spans import CodeSpans

_BODY = (
    r"[ ]?\^?(?:(?i:sources?|refs?|docs?)[ ]?[:#]?[ ]?)?"
    r"{numbers}\d{{1,9}}(?:[ ]{{0,2}}(?:[,;&–-]|and)[ ]{{0,2}}(?:(?i:sources?)[ ])?\^?\d{{1,9}}){{0,15}})"
    r"(?:†[^\[\]【】［］\n]{{0,40}})?[ ]?"
)
_FORMS = ((r"\[\[", r"\]\]"), (r"\[", r"\]"), ("【", "】"), ("［", "］"))
_MARK = regex.compile(
    r"(?P<blank>[ \t\u00a0\u202f])?(?:"
    + "|".join(
        f"{opening}{_BODY.format(numbers=f'(?P<numbers{at}>')}{closing}" for at, (opening, closing) in enumerate(_FORMS)
    )
    + ")"
)
_BRACKETS = frozenset("[【［")
_BEGINNING = _BRACKETS | frozenset(" \t\u00a0\u202f")
_PLAIN = regex.compile(r"[^\s`\u00a0\u202f\[【［]+")
_NUMBER = regex.compile(r"(\d{1,9})(?:[ ]{0,2}[–-][ ]{0,2}\^?(\d{1,9}))?")
_TOKEN = regex.compile(r"[\w.]+$")
_CITED = regex.compile(r"[^\W\d_]{2,}|\d[\d.]*|.*[^\x00-\x7f].*|.*\.")
"""What a mark may stand behind without a blank: a word, a number, a text without blanks between words, a sentence."""
_SEEN = 80
"""How much of what was read is kept to see what a mark stands behind, in characters."""
_MOST = 50
"""How many sources a range may name: one of more names its ends."""


@dataclass(frozen=True)
class Segment:
    """A part of a text. kind: `mark` is a single mark, as it was written, without the blank before it.

    blank: that blank. numbers: of the sources that the mark names, in its order. kept: those that there are. checked:
    what is to stand in the place of blank and mark: the marks of `kept`; where there are none, nothing, or a `…` where
    what is around would grow together to something else.
    """

    kind: Literal["prose", "code", "mark"]
    text: str
    blank: str = ""
    numbers: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    checked: str = ""


class MarkReader:
    """Reads one text as it comes. sources: the numbers of those that there are; None are all.

    It holds back what may still become a mark: from the blank before its bracket to the character behind it.
    """

    def __init__(self, sources: Container[int] | None = None) -> None:
        self._sources = sources
        self._code = CodeSpans()
        self._before = ""
        self._held = ""
        self._is_behind_mark = False

    def read(self, piece: str, *, last: bool) -> list[Segment]:
        """The parts that are known now; those of all pieces together are the text."""
        text, self._held = self._held + piece, ""
        segments: list[Segment] = []
        at = 0
        while at < len(text):
            match = self._match(text, at, last=last)
            if match is not None and not last and (match.partial or match.end() == len(text)):
                self._held = text[at:]
                break
            mark = match and self._mark(match, text)
            end = match.end() if match and mark else _plain_end(text, at)
            segments.append(mark or Segment("code" if self._code.is_code else "prose", text[at:end]))
            self._pass(segments[-1])
            at = end
        return _joined(segments)

    def _match(self, text: str, at: int, *, last: bool) -> regex.Match[str] | None:
        """What at this place is a mark, or begins one."""
        if text[at] not in _BEGINNING or self._code.is_code:
            return None
        if text[at] in _BRACKETS and not self._may_stand_here():
            return None
        return _MARK.match(text, at, partial=not last)

    def _may_stand_here(self) -> bool:
        """Whether a bracket behind what was read may open a mark."""
        if self._before.endswith("]"):
            return self._is_behind_mark
        token = _TOKEN.search(self._before)
        return not self._before.endswith("\\") and (token is None or bool(_CITED.fullmatch(token[0].strip("_"))))

    def _mark(self, match: regex.Match[str], text: str) -> Segment | None:
        """The mark that was found, if it is one."""
        body = next(filter(None, (match[f"numbers{at}"] for at in range(len(_FORMS)))))
        numbers = tuple(dict.fromkeys(number for found in _NUMBER.finditer(body) for number in _range(found)))
        following = text[match.end() : match.end() + 1]
        blank = match["blank"] or ""
        is_index = numbers == (0,) and not blank and self._before[-1:].isalnum()
        if following == "(" or is_index or (0 in numbers and len(numbers) > 1):  # a link, an index, an interval
            return None
        kept = tuple(number for number in numbers if self._sources is None or number in self._sources)
        checked = blank + marks_of(kept) if kept else self._gap(following)
        return Segment("mark", match[0][len(blank) :], blank, numbers, kept, checked)

    def _gap(self, following: str) -> str:
        """What stands in the place of a mark that is taken out: mostly nothing."""
        opening = max(self._before.rfind(bracket) for bracket in _BRACKETS)
        begun = _MARK.match(self._before, opening, partial=True) if opening >= 0 else None
        begins_mark = begun is not None and begun.partial
        return "…" if begins_mark or (self._before.endswith("`") and following == "`") else ""

    def _pass(self, segment: Segment) -> None:
        text = segment.checked if segment.kind == "mark" else segment.text
        self._code.read(text)
        self._before = (self._before + text)[-_SEEN:]
        if text:
            self._is_behind_mark = bool(segment.kept)


def marks_of(numbers: Iterable[int]) -> str:
    """The marks of these sources, as all marks leave us: `[1][2]`."""
    return "".join(f"[{number}]" for number in numbers)


def holds_marks(text: str) -> bool:
    """Whether anything in a whole text has the form of a mark, be it one or not: far faster than reading it."""
    return _MARK.search(text) is not None


def _plain_end(text: str, at: int) -> int:
    """The end of what begins here and is alike: a character that could mean something, or all up to the next one."""
    plain = _PLAIN.match(text, at)
    return plain.end() if plain else at + 1


def _range(found: regex.Match[str]) -> tuple[int, ...]:
    first, last = int(found[1]), int(found[2] or found[1])
    return tuple(range(first, last + 1)) if first <= last < first + _MOST else (first, last)


def _joined(segments: list[Segment]) -> list[Segment]:
    """The same with neighbours of one kind together."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and segment.kind == joined[-1].kind != "mark":
            joined[-1] = Segment(segment.kind, joined[-1].text + segment.text)
        else:
            joined.append(segment)
    return joined
