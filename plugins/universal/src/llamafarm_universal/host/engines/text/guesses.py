"""Tokens that are guessed ahead, and read in the same step as the one that they follow.

Where a guess is right, several tokens come of one step; where it is not, the token is the one that would have come
anyway, since each is chosen as if nothing had been guessed. Reading a few tokens takes hardly longer than one as long
as a step's time goes into reading weights, that is for a single answer: so guesses are made for one that runs alone, as
long as they pay, which is measured. Who guesses: `PromptLookup`, and a draft model (`drafter`) where there is one.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from llamafarm_universal.host.engines.text.sequence import Sequence

log = logging.getLogger(__name__)

TRIES = 16
"""Steps with guesses before they are judged; and one without comes after so many, to compare them with."""
PAUSE = 256
"""Steps without the guesses of one that did not pay, before they are tried again."""
_RECENT = 1 / 32  # the weight of the newest step among those with guesses
_RECENT_PLAIN = 1 / 8  # and among those without, which are few


class Guesser(Protocol):
    """method: its name, as vLLM has it."""

    method: str

    def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """What may follow an answer: at most so many tokens; none where it has no guess.

        Only of one whose tokens are all read but the last.
        """
        ...


class Guesses:
    """Says what to guess for an answer that runs alone, as long as it pays.

    guessers: who is asked, in this order, until one has a guess. count: told the method of each step with guesses, how
    many tokens were guessed, and how many of them were right.
    """

    def __init__(self, *guessers: Guesser, count: Callable[[str, int, int], None] = lambda *_: None) -> None:
        self._trials = [_Trial(guesser) for guesser in guessers]
        self._count = count
        self._plain = _Pace(_RECENT_PLAIN)
        self._since_plain = TRIES
        self._asked: _Trial | None = None  # whose guess the last one was
        self._spent = 0.0  # seconds

    def of(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """What to guess in the next step of an answer."""
        self._asked = None
        if most < 1 or self._since_plain >= TRIES:
            return ()
        for trial in self._trials:
            began = time.perf_counter()
            guess = trial.guess(sequence, most)
            if guess:
                self._asked, self._spent = trial, time.perf_counter() - began
                return guess
        return ()

    def observe(self, seconds: float, tokens: int, guessed: int) -> None:
        """The step of a single answer has taken so long for so many tokens, behind so many guessed ones."""
        if not guessed or self._asked is None:
            self._plain.observe(seconds, tokens)
            self._since_plain = 0
            return
        self._since_plain += 1
        trial = self._asked
        self._count(trial.guesser.method, guessed, tokens - 1)
        trial.pace.observe(seconds + self._spent, tokens)
        trial.judge(min(self._plain.seconds, *(later.pace.seconds for later in self._behind(trial)), math.inf))

    def failed(self, error: Exception) -> None:
        """The step with the last guess has failed: who made it rests, since the answer comes without guesses too."""
        if self._asked is not None:
            log.warning("%s rests: a step with its guess has failed: %s", self._asked.guesser.method, error)
            self._asked.pause = PAUSE

    def _behind(self, trial: _Trial) -> list[_Trial]:
        """Those that would be asked in its place, of which enough is known."""
        later = self._trials[self._trials.index(trial) + 1 :]
        return [each for each in later if each.pace.steps > TRIES]


class _Pace:
    """How long a token takes, over the last steps. recent: the weight of the newest one."""

    def __init__(self, recent: float) -> None:
        self._kept = 1 - recent
        self._seconds = self._tokens = 0.0
        self.steps = 0

    def observe(self, seconds: float, tokens: int) -> None:
        self._seconds = self._seconds * self._kept + seconds
        self._tokens = self._tokens * self._kept + tokens
        self.steps += 1

    @property
    def seconds(self) -> float:
        """Of a token; infinity where none has come."""
        return self._seconds / self._tokens if self._tokens else math.inf


@dataclass(eq=False)
class _Trial:
    """Whether one guesser pays. pause: steps until it is asked again."""

    guesser: Guesser
    pace: _Pace = field(default_factory=lambda: _Pace(_RECENT))
    pause: float = 0

    def guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """One that fails is asked no more: an answer comes without guesses too."""
        if self.pause:
            self.pause -= 1
            return ()
        try:
            return self.guesser.guess(sequence, most)
        except Exception:
            log.exception("Nothing is guessed by the method %s any more", self.guesser.method)
            self.pause = math.inf
            return ()

    def judge(self, bar: float) -> None:
        """Rest for a while where a token takes longer than so many seconds."""
        if self.pace.steps > TRIES and self.pace.seconds > bar:
            times = (self.pace.seconds * 1000, bar * 1000)
            log.debug("%s rests: a token takes %.1f ms with it, and %.1f without", self.guesser.method, *times)
            self.pace, self.pause = _Pace(_RECENT), PAUSE
