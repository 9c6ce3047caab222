"""Guesses from the text itself: what came after the last three tokens before is likely to come again.

Source: prompt lookup decoding (A. Saxena, 2023), n-gram speculation in vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from weakref import WeakKeyDictionary

from llamafarm_universal.host.engines.text.context import Context
from llamafarm_universal.host.engines.text.sequence import Sequence

MOST = 4
"""Tokens that are guessed at once."""
_ALIKE = 3  # tokens that came before, too


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


class PromptLookup:
    """Looks up each answer in its own text."""

    method = "ngram"

    def __init__(self) -> None:
        self._lookups: WeakKeyDictionary[Context, Lookup] = WeakKeyDictionary()

    def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """See Guesser."""
        lookup = self._lookups.setdefault(sequence.context, Lookup())
        return lookup.guess(sequence.context.tokens, min(most, MOST))
