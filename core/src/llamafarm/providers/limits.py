"""Time limits of one answer: until when it must begin, go on, and be complete."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

from llamafarm.errors import ProviderTimeout
from llamafarm.providers.base import Call
from llamafarm.providers.entry import Timeouts


@dataclass(frozen=True)
class Limits:
    """Time limits of one answer. first_byte and deadline: on the event loop's clock; between: seconds of silence."""

    first_byte: float | None
    between: float | None
    deadline: float | None

    @classmethod
    def from_now(cls, timeouts: Timeouts, deadline: float | None, between: float | None = None) -> Self:
        """The limits of a request that is sent now. deadline: see `deadline_of`. between: in place of the setting."""
        between = timeouts.between_bytes if between is None else between
        return cls(earlier(deadline, timeouts.first_byte), between, deadline)

    def next(self, since: float | None = None) -> float | None:
        """Until when a piece must have come for which somebody waits since then; None: from now on."""
        return earlier(self.deadline, self.between, since)

    def missed(self, end: float | None) -> tuple[str, str]:
        """What went wrong at `end`, and the setting that decides it."""
        if end == self.deadline:
            return "was not complete in time", "total"
        if end == self.first_byte:
            return "did not begin in time", "first_byte"
        return f"was silent for more than {self.between:g} s", "between_bytes"


def timed_out(message: str, setting: str, provider: str) -> ProviderTimeout:
    """The error of a time limit. setting: the one of `timeouts` that decides it."""
    hint = f"`timeouts.{setting}` of the model entry sets the limit."
    return ProviderTimeout(message, provider=provider, hint=hint)


def deadline_of(timeouts: Timeouts, call: Call) -> float | None:
    """When a call that begins now must be complete: at its own deadline or the total limit, whichever is earlier."""
    return earlier(call.deadline, timeouts.total)


def earlier(end: float | None, seconds: float | None, since: float | None = None) -> float | None:
    """The earlier of `end`, on the event loop's clock, and so many seconds since then or from now; None is never."""
    if seconds is None:
        return end
    then = seconds + (asyncio.get_running_loop().time() if since is None else since)
    return then if end is None else min(end, then)
