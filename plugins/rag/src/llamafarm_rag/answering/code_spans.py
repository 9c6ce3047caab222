"""Which characters of a text are code, told while the text comes: fenced blocks and spans between backticks.

As in CommonMark, but that a span ends with its line at the latest: whether a backtick is ever closed cannot be known
before the text has come, and one that is not must not leave the rest of an answer unread. A fence that nobody closes
lasts to the end of the text.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})")

_PART = re.compile(r"\n|`+|[^`\n]+")
_LONGEST_FENCE = 200
"""How much of a line is looked at to tell whether it is a fence, in characters."""


class CodeSpans:
    """Reads one text."""

    def __init__(self) -> None:
        self._line = ""
        self._ticks = 0
        self._fence = ""
        self._span = 0

    @property
    def is_code(self) -> bool:
        """Whether the next character, where it is no backtick, stands in code."""
        if self._fence:
            return True
        return self._ticks != self._span if self._span else bool(self._ticks)

    def read(self, text: str) -> None:
        """Take what comes next."""
        for part in _PART.findall(text):
            self._next(part)

    def _next(self, part: str) -> None:
        if part == "\n":
            self._end_line()
            return
        if len(self._line) < _LONGEST_FENCE:
            self._line += part[:_LONGEST_FENCE]
        if self._fence:
            return
        if part[0] == "`":
            self._ticks += len(part)
        elif self._ticks:
            self._end_ticks()

    def _end_ticks(self) -> None:
        """A run of backticks is over: it opens a span, closes the one of its length, or is part of one."""
        if not self._span:
            self._span = self._ticks
        elif self._span == self._ticks:
            self._span = 0
        self._ticks = 0

    def _end_line(self) -> None:
        fence = _FENCE.match(self._line)
        if self._fence:
            closing = self._line.strip(" \t")
            if fence and len(closing) >= len(self._fence) and {*closing} == {self._fence[0]}:
                self._fence = ""
        elif fence:
            self._fence = fence[1]
        self._line, self._ticks, self._span = "", 0, 0
