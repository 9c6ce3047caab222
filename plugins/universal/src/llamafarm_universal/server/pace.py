"""How fast places are given back, and so when whoever was refused should ask again."""

from __future__ import annotations

from collections import deque

SAMPLES = 64
"""The pace is that of so many requests that ended last."""
UNKNOWN_SECONDS = 2.0
"""What is told where none has ended yet: an answer takes seconds."""
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
"""No client waits for longer than the second, and by then an estimate is worth little."""


class Pace:
    """Of one line. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._ended: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._promised = 0.0
        """When the places will have come free that were promised to those who were refused."""

    def note(self, now: float, places: int) -> None:
        """So many places have been given back."""
        self._ended.append((now, places))

    def retry_after(self, now: float, places: int) -> float:
        """Seconds after which so many places should be free, beside those that others have been told to come for."""
        rate = self._per_second(now)
        if rate is None:
            return UNKNOWN_SECONDS
        wait = min(max(self._promised - now, 0.0) + places / rate, LONGEST_SECONDS)
        self._promised = now + wait
        return max(wait, SHORTEST_SECONDS)

    def _per_second(self, now: float) -> float | None:
        if len(self._ended) < 2 or now <= self._ended[0][0]:
            return None
        since = self._ended[0][0]
        return sum(places for _, places in self._ended) / (now - since)
