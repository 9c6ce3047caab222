"""Texts that are looked through as they come, piece by piece.

What could still become a find is held back: `regex` tells of a match that the end of the text has cut off, which no
other library of Python does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import regex
from llamafarm.errors import PluginError

from llamafarm_agents.guard.options import Check, LengthCheck, TextCheck

_SECONDS = 1.0
"""A pattern that takes longer at one piece fails its turn: it would hold up all others."""
_TOO_SLOW = (
    "A pattern of the agent handler 'guard' takes too long at this text.",
    "`patterns` in `handlers: {guard: …}` of llamafarm.yaml: one of them goes over the text again and again.",
)


class Refusal(Exception):
    """A check with the action `refuse` has found something. check: its name."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class Scanner:
    """Looks through one text. found: how often each check has found something."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.found: Counter[tuple[str, str]] = Counter()
        self._lengths = [check for check in checks if isinstance(check, LengthCheck)]
        self._stages = [
            _Stage(check, expression, self.found)
            for check in checks
            if isinstance(check, TextCheck)
            for expression in check.expressions
        ]
        self._length = 0

    def scan(self, piece: str, *, last: bool) -> str:
        """What may be sent of a text when its next piece has come. Raises Refusal, and PluginError."""
        before, self._length = self._length, self._length + len(piece)
        for check in self._lengths:
            if before <= check.most < self._length:
                _tell(self.found, check.check, check.action)
        try:
            for stage in self._stages:
                piece = stage.scan(piece, last=last)
        except TimeoutError:
            raise PluginError(_TOO_SLOW[0], hint=_TOO_SLOW[1]) from None
        return piece


class _Stage:
    """One expression."""

    def __init__(self, check: TextCheck, expression: str, found: Counter[tuple[str, str]]) -> None:
        self._check = check
        self._expression = regex.compile(expression)
        self._found = found
        self._held = ""

    def scan(self, piece: str, *, last: bool) -> str:
        """What may be sent of what was held back and of the next piece. Raises Refusal, and TimeoutError."""
        text, self._held = self._held + piece, ""
        sent, at = [], 0
        for match in self._expression.finditer(text, partial=not last, timeout=_SECONDS):
            if not last and (match.partial or match.end() == len(text)):  # it may go on
                text, self._held = text[: match.start()], text[match.start() :]
                break
            _tell(self._found, self._check.check, self._check.action)
            if self._check.action == "redact":
                sent += [text[at : match.start()], self._check.replacement]
                at = match.end()
        return "".join([*sent, text[at:]])


def _tell(found: Counter[tuple[str, str]], check: str, action: str) -> None:
    found[check, action] += 1
    if action == "refuse":
        raise Refusal(check)
