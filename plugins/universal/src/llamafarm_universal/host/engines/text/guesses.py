"""Tokens that are guessed ahead, and read in the same step as the one that they follow.

A text often repeats itself: what came after the last three tokens before is likely to come again. Where the guess is
right, several tokens come of one step; where it is not, the token is the one that would have come anyway, since each is
chosen as if nothing had been guessed. Reading a few tokens takes hardly longer than one as long as a step's time goes
into reading weights, that is for a single answer: so guesses are made for one that runs alone, as long as they pay,
which is measured. Source: prompt lookup decoding (A. Saxena, 2023), n-gram speculation in vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from weakref import WeakKeyDictionary

from llamafarm_universal.host.engines.text.context import Context

MOST = 4
"""Tokens that are guessed at once."""
_ALIKE = 3  # tokens that came before, too
_TRIES = 16  # steps with guesses before they are judged
_PAUSE = 256  # steps without, before they are tried again
_RECENT = 1 / 32  # the weight of the newest step in a mean


class Lookup:
    """What came after each three tokens of a text when they came last."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], int] = {}
        self._seen = _ALIKE

    def guess(self, tokens: Ordered[int], most: int) -> tuple[int, ...]:
        """What may follow a text, which is the one of the last call or goes on from it. At most so many tokens."""
        for place in range(self._seen, len(tokens)):
            self._after[tuple(tokens[place - _ALIKE : place])] = place
        self._seen = max(self._seen, len(tokens))
        place = self._after.get(tuple(tokens[-_ALIKE:]), len(tokens))
        return tuple(tokens[place : place + most])


class Guesses:
    """Says what to guess for an answer that runs alone, and whether it pays."""

    def __init__(self) -> None:
        self._lookups: WeakKeyDictionary[Context, Lookup] = WeakKeyDictionary()
        self._plain: float | None = None  # seconds for a token without guesses
        self._guessed: float | None = None  # and with them
        self._tries = 0
        self._pause = 0

    def of(self, context: Context, most: int) -> tuple[int, ...]:
        """What to guess in the next step of a text; nothing where it does not pay, or nothing like it came before."""
        if self._pause:
            self._pause -= 1
            return ()
        lookup = self._lookups.setdefault(context, Lookup())
        return lookup.guess(context.tokens, min(most, MOST))

    def observe(self, seconds: float, tokens: int, *, guessed: bool) -> None:
        """A step of a single answer has taken so long for so many tokens."""
        if not guessed:
            self._plain = _mean(self._plain, seconds / tokens)
            return
        self._guessed = _mean(self._guessed, seconds / tokens)
        self._tries += 1
        if self._tries >= _TRIES and self._plain is not None and self._guessed > self._plain:
            self._tries, self._guessed, self._pause = 0, None, _PAUSE


def _mean(before: float | None, newest: float) -> float:
    return newest if before is None else before + (newest - before) * _RECENT
